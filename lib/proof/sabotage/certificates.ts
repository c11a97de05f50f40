/** The folder for the certificates that a sabotage makes. */
export const OTHER_FOLDER = "/etc/kubernetes/other"

const NEW = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
const NAMES = "-addext subjectAltName=IP:127.0.0.1,DNS:localhost"

/** A script that makes another CA, and a certificate for kube-apiserver that this CA signs. */
export const OTHER_CA = `mkdir -p ${OTHER_FOLDER}
cd ${OTHER_FOLDER}
openssl req -x509 ${NEW} -days 10 -subj /CN=other-ca -keyout ca.key -out ca.crt
openssl req -x509 -CA ca.crt -CAkey ca.key ${NEW} -days 10 -subj /CN=kube-apiserver ${NAMES} -keyout apiserver.key -out apiserver.crt`

/**
 * A script that replaces kube-apiserver's certificate while kube-apiserver runs. The same CA signs the new certificate.
 * @param dates the validity options of `openssl ca`: -startdate and -enddate, or -days
 * @param names the subjectAltName of the new certificate
 */
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
