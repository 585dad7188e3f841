import { BlockList, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/** Blocks of the IPv4 special-purpose registry (RFC 6890 and after), with the one address of a cloud that is none of them. */
const NOT_PUBLIC_V4: readonly (readonly [base: string, bits: number, what: string])[] = [
  ["0.0.0.0", 8, "this network"],
  ["10.0.0.0", 8, "a private network"],
  ["100.64.0.0", 10, "the network of a provider"],
  ["127.0.0.0", 8, "this machine"],
  ["169.254.0.0", 16, "the local link, where clouds tell their machines secrets"],
  ["172.16.0.0", 12, "a private network"],
  ["192.0.0.0", 24, "reserved for protocols"],
  ["192.0.2.0", 24, "reserved for documentation"],
  ["192.31.196.0", 24, "reserved for protocols"],
  ["192.52.193.0", 24, "reserved for protocols"],
  ["192.88.99.0", 24, "a relay to other networks"],
  ["192.168.0.0", 16, "a private network"],
  ["192.175.48.0", 24, "reserved for protocols"],
  ["198.18.0.0", 15, "a network for measurements"],
  ["198.51.100.0", 24, "reserved for documentation"],
  ["203.0.113.0", 24, "reserved for documentation"],
  ["224.0.0.0", 4, "many machines at once"],
  ["240.0.0.0", 4, "reserved"],
  ["168.63.129.16", 32, "a service of a cloud for its machines"],
];

/** Inside of 2000::/3, which is all of IPv6 that is public. */
const NOT_PUBLIC_V6: readonly (readonly [base: string, bits: number, what: string])[] = [
  ["2001::", 23, "reserved for protocols"],
  ["2001:db8::", 32, "reserved for documentation"],
  ["2002::", 16, "a relay to other networks"],
  ["2620:4f:8000::", 48, "reserved for protocols"],
  ["3fff::", 20, "reserved for documentation"],
];

const v4 = NOT_PUBLIC_V4.map(([base, bits, what]) => ({ list: block(base, bits, "ipv4"), what }));
const v6 = NOT_PUBLIC_V6.map(([base, bits, what]) => ({ list: block(base, bits, "ipv6"), what }));
const publicV6 = block("2000::", 3, "ipv6");
const mapped = block("::ffff:0.0.0.0", 96, "ipv6");
/** The addresses by which networks without IPv4 reach it: the last 32 bits are the IPv4 address. */
const translated = block("64:ff9b::", 96, "ipv6");

/** Why nothing is fetched from an address, in words; undefined where it is a public one. */
export function refuseAddress(address: string): string | undefined {
  const [plain = ""] = address.split("%");
  if (isIPv4(plain)) return refuseV4(plain) ?? refuseOwn(plain);
  if (!isIPv6(plain)) return "it is no address";
  if (mapped.check(plain, "ipv6") || translated.check(plain, "ipv6")) return refuseAddress(lastPartAsV4(plain));
  if (!publicV6.check(plain, "ipv6")) return "it is not a public address";
  const found = v6.find(({ list }) => list.check(plain, "ipv6"));
  return found === undefined ? refuseOwn(plain) : `it is ${found.what}`;
}

function refuseV4(address: string): string | undefined {
  const found = v4.find(({ list }) => list.check(address, "ipv4"));
  return found === undefined ? undefined : `it is ${found.what}`;
}

/** What listens on all of a machine's addresses is reached by its public one too, past whatever stands before that. */
function refuseOwn(address: string): string | undefined {
  const own = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return own.some((each) => each.address === address) ? "it is this machine" : undefined;
}

function block(base: string, bits: number, family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  list.addSubnet(base, bits, family);
  return list;
}

/** The last 32 bits of an IPv6 address, however it is written. */
function lastPartAsV4(address: string): string {
  const dotted = /[\d.]+$/.exec(address)?.[0] ?? "";
  if (isIPv4(dotted)) return dotted;
  // The URL parser writes both groups, and none of them is left out but for zeros.
  const { hostname } = new URL(`http://[${address}]/`);
  const [low = "", high = ""] = hostname.slice(1, -1).split(":").toReversed();
  const [a, b] = [high, low].map((group) => Number.parseInt(group || "0", 16));
  return [(a ?? 0) >> 8, (a ?? 0) & 255, (b ?? 0) >> 8, (b ?? 0) & 255].join(".");
}
