import { BlockList, isIP } from 'node:net';

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Networks that no provider is in: our own, and where clouds hand out credentials. */
const inside = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  inside.addSubnet(net, bits, 'ipv4');
for (const [net, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  inside.addSubnet(net, bits, 'ipv6');

/**
 * Whether credentials may travel to a provider's address: https to a name or a public address, or plain http to this very
 * machine. Our client follows no redirects, so what is answered there leads nowhere else.
 */
export function isProviderAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  if (loopback.has(hostname)) return protocol === 'https:' || protocol === 'http:';
  if (protocol !== 'https:') return false;
  const bare = hostname.replace(/^\[|\]$/g, '');
  const family = isIP(bare);
  return family === 0 || !inside.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}
