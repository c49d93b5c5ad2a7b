/** How requests of a connection are authorized, declared by the connector; the client carries it out. */
export type AuthSpec =
  | { type: 'none' }
  /** HTTP basic with the secret as the user name and an empty password (EasyPost). */
  | { type: 'basic'; userSecret: string; passwordSecret?: string }
  /** The secret in a header of that name. */
  | { type: 'header'; header: string; secret: string; prefix?: string }
  /**
   * OAuth 2 client credentials (RFC 6749, 4.4): a token from `tokenPath`, sent in `header`, renewed before it ends and
   * once on a 401.
   */
  | {
      type: 'clientCredentials';
      tokenPath: string;
      clientIdSecret: string;
      clientSecretSecret: string;
      header: string;
      prefix?: string;
    }
  /**
   * OAuth 2 authorization code with PKCE (RFC 6749, 4.1; RFC 7636): a person grants access once with `syncline connect`;
   * the access token goes in `header` and is renewed with the refresh token, before it ends and once on a 401.
   */
  | {
      type: 'authorizationCode';
      /** Where the browser is sent, and where codes and refresh tokens are exchanged: a path below the base URL, or a URL. */
      authorizePath: string;
      tokenPath: string;
      clientIdSecret: string;
      /** Absent for a public client, which proves itself by PKCE alone. */
      clientSecretSecret?: string;
      /** How the client secret is sent (RFC 6749, 2.3.1); default `basic`. */
      clientAuth?: 'basic' | 'post';
      scopes: readonly string[];
      /** What else the provider wants to be asked with, e.g. `access_type: offline` for a refresh token. */
      parameters?: Readonly<Record<string, string>>;
      header: string;
      prefix?: string;
    };

/** Whether tokens must be kept for connections of this kind: `needed` for grants, `useful` where processes can share a token. */
export function tokenKeeping(auth: AuthSpec): 'needed' | 'useful' | 'none' {
  if (auth.type === 'authorizationCode') return 'needed';
  return auth.type === 'clientCredentials' ? 'useful' : 'none';
}
