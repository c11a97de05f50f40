import type { Command, CommanderError } from "commander"
import { UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { checkSetting } from "../base/settings.ts"

/**
 * Explains a wrong command line in one line, and suggests the nearest correct word.
 * @param command the command that commander was parsing
 */
export function wrongUse({ code, message }: CommanderError, command: Command): UsageError {
  const given = /'([^]*)'/.exec(message)?.[1] ?? ""
  const names = (command.parent ?? command).commands.map((each) => each.name())
  switch (code) {
    case "commander.unknownCommand":
      return new UsageError(
        `There is no command ${given}.`,
        `${didYouMean(given, names)}There are ${names.join(", ")}.`,
      )
    case "commander.help":
      return new UsageError(
        "A command is missing, or it does not exist.",
        `Commands: ${names.join(", ")}. npx byhand --help describes them.`,
      )
    case "commander.unknownOption":
      return new UsageError(
        `There is no flag ${given} ${command.parent === null ? "before a command" : `of byhand ${command.name()}`}.`,
        flagsOf(command, given),
      )
    case "commander.excessArguments":
      return new UsageError(`byhand ${command.name()} takes fewer arguments.`, usageOf(command))
    case "commander.missingArgument":
      return new UsageError(`byhand ${command.name()} needs a ${given}.`, usageOf(command))
    case "commander.optionMissingArgument":
      return new UsageError(`${given.split(" ")[0] ?? ""} needs a value.`, `Write it after a space: ${given}`)
    default:
      return new UsageError(
        `${message.replace(/^error: /, "").replaceAll("\n", " ")}.`,
        "npx byhand --help lists commands and flags.",
      )
  }
}

function usageOf(command: Command): string {
  return `Write: npx byhand ${command.name()} ${command.usage()}`
}

function flagsOf(command: Command, given?: string): string {
  const flags = [...command.options.map(({ long }) => long ?? ""), "--help"]
  if (command.parent === null) return "Flags come after the command, as in: npx byhand up --name one"
  return `${given === undefined ? "" : didYouMean(given.split("=")[0] ?? "", flags)}There are ${flags.join(", ")}.`
}

/**
 * Parses the value of a flag that must be given at most once and must not be empty.
 * @param setting the setting for which it is the value; without it, every text is accepted
 * @throws UsageError
 */
export function once(
  flag: string,
  setting?: Parameters<typeof checkSetting>[0],
): (value: string, earlier: string | undefined) => string {
  return (value, earlier) => {
    if (value === "") throw new UsageError(`${flag} is empty.`, "Give it a value, or leave it out.")
    if (earlier !== undefined)
      throw new UsageError(`${flag} is given twice, as ${earlier} and as ${value}.`, "Give it once.")
    if (setting !== undefined) checkSetting(setting, value, flag)
    return value
  }
}
