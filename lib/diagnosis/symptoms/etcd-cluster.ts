import { componentOf, flagOf, logged, symptom, type Symptom } from "../symptom.ts"

/** Problems of a member of a cluster of several, the most specific first. */
export const etcdCluster: readonly Symptom[] = [
  symptom({
    id: "peer-certificate-refused",
    component: "etcd",
    sign: (seen) =>
      logged(
        "etcd",
        /"msg":"failed to get cluster response","address":"(https:\/\/[^"/]+)\/members","error":"Get \\"[^"]*": ((?:remote error: )?tls: [^"]*)"/,
        "address",
        "reason",
      )(seen),
    cause: ({ address, reason }) =>
      `the member at ${address} and this one do not accept each other's certificates: ${reason}`,
    remedy: (_, seen) =>
      `One CA must have signed the certificates of all members: --peer-cert-file (${flagOf(componentOf(seen, "etcd"), "--peer-cert-file") ?? "not set"}) for the other one, --peer-trusted-ca-file (${flagOf(componentOf(seen, "etcd"), "--peer-trusted-ca-file") ?? "not set"}) for this one.`,
    look: (_, seen) =>
      `openssl verify -CAfile ${flagOf(componentOf(seen, "etcd"), "--peer-trusted-ca-file") ?? "CA"} ${flagOf(componentOf(seen, "etcd"), "--peer-cert-file") ?? "CERTIFICATE"}`,
  }),
]
