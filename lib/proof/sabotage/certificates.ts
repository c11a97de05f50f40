/** Where the saboteur keeps what it makes. */
export const OTHER_FOLDER = "/etc/kubernetes/other"

const NEW = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
const NAMES = "-addext subjectAltName=IP:127.0.0.1,DNS:localhost"

/** A CA of the saboteur's own, and a certificate that it has signed for kube-apiserver. */
export const OTHER_CA = `mkdir -p ${OTHER_FOLDER}
cd ${OTHER_FOLDER}
openssl req -x509 ${NEW} -days 10 -subj /CN=other-ca -keyout ca.key -out ca.crt
openssl req -x509 -CA ca.crt -CAkey ca.key ${NEW} -days 10 -subj /CN=kube-apiserver ${NAMES} -keyout apiserver.key -out apiserver.crt`

/** Replaces kube-apiserver's certificate under its feet by one of the same CA. @param dates what openssl ca is told: -startdate and -enddate @param names what it is for */
export function replaced(dates: string, names = "IP:127.0.0.1"): string {
  return `mkdir -p ${OTHER_FOLDER}
cd ${OTHER_FOLDER}
: >index
echo 01 >serial
printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\nserial=serial\\nnew_certs_dir=.\\ndefault_md=sha256\\npolicy=p\\ncopy_extensions=copy\\n[p]\\ncommonName=supplied\\n' >conf
openssl req -new -key /etc/kubernetes/pki/apiserver.key -subj /CN=kube-apiserver -addext subjectAltName=${names} -out csr
openssl ca -batch -config conf -cert /etc/kubernetes/pki/ca.crt -keyfile /etc/kubernetes/pki/ca.key -in csr ${dates} -notext -out new
cat new >/etc/kubernetes/pki/apiserver.crt
until openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -serial | grep -q =01; do sleep 0.1; done`
}
