// An OAuthClientProvider that remembers everything in memory. Both generations
// of the SDK take it.
import { randomUUID } from 'node:crypto';

// Nobody listens there: the browser reads the authorization response off the
// redirect.
const REDIRECT_URI = 'http://127.0.0.1:33999/callback';

export class MemoryProvider {
  redirectUrl = REDIRECT_URI;
  clientMetadata;
  /** The URLs that the SDK wanted opened, in order. */
  opened = [];
  lastState;

  #client;
  #tokens;
  #verifier;
  #discovery;

  constructor(name) {
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() { return (this.lastState = randomUUID()); }
  clientInformation() { return this.#client; }
  saveClientInformation(client) { this.#client = client; }
  tokens() { return this.#tokens; }
  saveTokens(tokens) { this.#tokens = tokens; }
  redirectToAuthorization(url) { this.opened.push(url); }
  saveCodeVerifier(verifier) { this.#verifier = verifier; }
  codeVerifier() { return this.#verifier; }
  saveDiscoveryState(state) { this.#discovery = state; }
  discoveryState() { return this.#discovery; }

  invalidateCredentials(scope) {
    if (scope === 'all' || scope === 'client') this.#client = undefined;
    if (scope === 'all' || scope === 'tokens') this.#tokens = undefined;
    if (scope === 'all' || scope === 'verifier') this.#verifier = undefined;
    if (scope === 'all' || scope === 'discovery') this.#discovery = undefined;
  }
}
