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
    };
