import { mistakeText, sinceText, studentsText, UNKNOWN, type Board } from "./board.ts"
import { gradeText, pointCells, remarkOf, summaryOf, type Line } from "./book.ts"
import type { ClassHead } from "./class-file.ts"
import { html, Html } from "./html.ts"
import { explanationOf, timeText } from "./marks.ts"
import { comparedText, hostsTitle, keyTitle, NO_VERDICT, notesOf, ownerText, shareText } from "./similar-report.ts"
import type { AlikeFiles, AlikePair, Similarities } from "./similar.ts"

/** The page has no scripts and loads nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'"
const STYLE = new Html(`
:root { color-scheme: light dark; font: 16px/1.45 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
h3 { margin: 1.5rem 0 .25rem; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #8886; padding: .25rem .75rem; text-align: left; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
dt { margin-top: .5rem; }
.note { opacity: .75; }
`)

/**
 * The grade book, the board and what is similar as one HTML page. It needs no other file, and contains no script.
 * @param at when the book was made, in milliseconds since the epoch
 */
export function bookPage(
  graded: ClassHead,
  lines: readonly Line[],
  { board, similar }: { readonly board: Board; readonly similar: Similarities | undefined },
  at: number,
): string {
  const title = graded.title ?? "Grade book"
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="robots" content="noindex" />
      <title>${title}</title>
      <style>
        ${STYLE}
      </style>
    </head>
    <body>
      <h1>${title}</h1>
      <p>${summaryOf(lines)} <span class="note">${timeText(at)}</span></p>
      ${boardParts(board, lines.length)} ${gradesPart(graded, lines)}
      ${similar === undefined ? "" : similarPart(similar)}
    </body>
  </html> `
  return `<!DOCTYPE html>\n${page.text}`
}

function boardParts({ stuck, mistakes }: Board, of: number): Html[] {
  if (stuck.length === 0) return []
  const count = stuck.reduce((sum, { students }) => sum + students, 0)
  return [
    html`<section>
      <h2>Stuck, by cause</h2>
      <p>${count} of ${studentsText(of)}. Times are in UTC: when a run first saw it.</p>
      ${stuck.map(
        ({ finding, students, causes }) =>
          html`<h3>${nameOf(finding)}: ${studentsText(students)}</h3>
            <dl>
              ${causes.map(
                ({ lesson, cause, students: who }) =>
                  html`<dt>${lesson} ${cause}</dt>
                    ${who.map(
                      ({ id, since }) =>
                        html`<dd>
                          ${id}
                          <span class="note"
                            >since <time datetime="${new Date(since).toISOString()}">${sinceText(since)}</time></span
                          >
                        </dd> `,
                    )}`,
              )}
            </dl> `,
      )}
    </section> `,
    html`<section>
      <h2>Most frequent mistakes</h2>
      ${table(
        ["students", "finding", "cause"],
        mistakes.map(
          (mistake) =>
            html`<td class="number">${mistake.students}</td>
              <td>${nameOf(mistake.finding)}</td>
              <td>${mistakeText(mistake)}</td>`,
        ),
      )}
    </section> `,
  ]
}

/** A table that can be scrolled sideways. @param rows the cells of each */
function table(columns: readonly (string | Html)[], rows: readonly Html[]): Html {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          ${columns.map((column) => html`<th scope="col">${column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells) =>
            html`<tr>
              ${cells}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`
}

function nameOf(finding: string | undefined): Html {
  return finding === undefined ? html`${UNKNOWN}` : html`<code>${finding}</code>`
}

function gradesPart({ rules }: ClassHead, lines: readonly Line[]): Html {
  return html`<section>
    <h2>Grades</h2>
    ${table(
      ["student", "grade", ...rules.lessons, "remark"],
      lines.map((line) => {
        const cells = pointCells(line)
        return html`<th scope="row">${line.student.id}</th>
          <td class="number">${gradeText(line)}</td>
          ${rules.lessons.map((_, at) => html`<td class="number">${cells[at] ?? ""}</td>`)}
          <td>${remarkOf(line)}</td>`
      }),
    )}
    ${explanationOf(rules).map((sentence) => html`<p class="note">${sentence}</p> `)}
  </section>`
}

function similarPart(similar: Similarities): Html {
  const { keys, pairs, hosts } = similar
  return html`<section>
    <h2>Similar scripts</h2>
    <p><strong>${NO_VERDICT}</strong> ${comparedText(similar)}</p>
    ${notesOf(similar).map((note) => html`<p class="note">${note}</p> `)}
    ${hosts.shared.map(
      (shared) =>
        html`<h3>${hostsTitle(shared)}</h3>
          <ul>
            ${shared.owners.map((owner) => html`<li>${ownerText(owner)}</li> `)}
          </ul> `,
    )}
    ${keys.map(
      (key) =>
        html`<h3>${keyTitle(key)}</h3>
          <ul>
            ${key.places.map(({ student, file }) => html`<li>${student}: <code>${file}</code></li> `)}
          </ul> `,
    )}
    ${pairs.map(
      ({ students, files }) =>
        html`<h3>${students[0]} and ${students[1]}</h3>
          ${files.map((each) => filesPart(students, each))}`,
    )}
  </section>`
}

function filesPart(students: AlikePair["students"], { files, share, examples }: AlikeFiles): Html {
  return html`<p>${shareText(files, share)}</p>
    ${table(
      ([0, 1] as const).map((at) => html`${students[at]}, <code>${files[at]}</code>`),
      examples.map(
        ({ texts, lines }) =>
          html`<td>${lines[0]}: <code>${texts[0]}</code></td>
            <td>${lines[1]}: <code>${texts[1]}</code></td>`,
      ),
    )}`
}
