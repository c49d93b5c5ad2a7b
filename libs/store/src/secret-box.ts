import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { SyncError } from '@syncline/contracts';

/** The environment variable that holds the keys. */
export const secretKeysVariable = 'SYNCLINE_SECRET_KEYS';

/** Encrypts what is kept, and reads it again. */
export interface SecretBox {
  /** Encrypts under the first key. `about` is bound to it: what was sealed about one thing does not open about another. */
  seal(text: string, about: string): string;
  /** Decrypts under whichever key it was sealed with. Throws `unauthorized` naming that key where it is not among them. */
  open(sealed: string, about: string): string;
  /** True where it is sealed under another key than the first. */
  isOld(sealed: string): boolean;
}

const keyBytes = 32;
const ivBytes = 12;
const tagBytes = 16;
const form = 'v1';

/**
 * AES-256-GCM under the keys of a text: 32 bytes each in base64 or hex, comma separated. The first encrypts, all decrypt, so
 * that a key is rotated by putting a new one in front. Throws `rejected` where a key is none, by its place and never by value.
 */
export function secretBox(keysText: string): SecretBox {
  const keys = keysText.split(',').map((text, index) => readKey(text.trim(), index + 1));
  const [first] = keys as [Key, ...Key[]];
  return {
    seal: (text, about) => {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', first.bytes, iv, { authTagLength: tagBytes });
      cipher.setAAD(Buffer.from(about));
      const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${form}.${first.id}.${sealed.toString('base64')}`;
    },
    open: (sealed, about) => {
      const [version, id, base64] = sealed.split('.');
      const key = keys.find((k) => k.id === id);
      if (version !== form || key === undefined || base64 === undefined)
        throw new SyncError(
          'unauthorized',
          `the tokens are encrypted under the key ${id}, which ${secretKeysVariable} does not hold: add that key again`,
        );
      const bytes = Buffer.from(base64, 'base64');
      try {
        const tag = bytes.subarray(-tagBytes);
        const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, ivBytes), {
          authTagLength: tagBytes,
        });
        decipher.setAAD(Buffer.from(about)).setAuthTag(tag);
        return decipher.update(bytes.subarray(ivBytes, -tagBytes)).toString('utf8') + decipher.final('utf8');
      } catch {
        throw new SyncError('unauthorized', 'the stored tokens were altered, or belong to another connection');
      }
    },
    isOld: (sealed) => sealed.split('.')[1] !== first.id,
  };
}

interface Key {
  /** Tells keys apart without telling them. */
  id: string;
  bytes: Buffer;
}

function readKey(text: string, place: number): Key {
  const bytes = /^[0-9a-f]{64}$/i.test(text)
    ? Buffer.from(text, 'hex')
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(text)
      ? Buffer.from(text, 'base64')
      : Buffer.alloc(0);
  if (bytes.length !== keyBytes)
    throw new SyncError(
      'rejected',
      `${secretKeysVariable}: key ${place} is not 32 bytes in base64 or hex; make one with "openssl rand -base64 32"`,
      { path: secretKeysVariable },
    );
  return { id: createHash('sha256').update('syncline key id').update(bytes).digest('hex').slice(0, 8), bytes };
}
