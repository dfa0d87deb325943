// Every flow of the authorization server with oauth4webapi, which holds each
// answer to its RFC and plays the resource server too: a token counts once the
// library has validated it as RFC 9068 demands.
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';

import * as oauth from 'oauth4webapi';

import { Browser } from './browser.mjs';
import { brief, check, walk } from './steps.mjs';

const STEPS = [
  'discover', 'register', 'authorize', 'refresh', 'client_credentials', 'introspect', 'revoke',
  'push', 'bind', 'id_token', 'private_key_jwt',
];
const TIMEOUT_MS = 90_000;
// By how much the clock of the client in a step is wrong.
const WRONG_CLOCK_S = -3600;
// Nobody listens there: the browser reads the authorization response off the
// redirect.
const REDIRECT_URI = 'http://127.0.0.1:33999/callback';
const INSECURE = { [oauth.allowInsecureRequests]: true };

function args() {
  const names = [
    'issuer', 'resource', 'scope', 'username', 'password',
    'agent-id', 'agent-secret', 'signer-id', 'signer-key',
  ];
  const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) });
  const missing = names.filter((name) => !values[name]);
  if (missing.length > 0) {
    console.error(`missing: ${missing.map((name) => `--${name}`).join(' ')}`);
    process.exit(2);
  }
  return values;
}

class Flows {
  #secrets = [];

  constructor(options) {
    this.issuer = new URL(options.issuer);
    this.resource = options.resource;
    this.scope = options.scope;
    this.browser = new Browser(options);
    this.agent = { client_id: options['agent-id'] };
    this.agentAuth = oauth.ClientSecretBasic(options['agent-secret']);
    this.signer = { client_id: options['signer-id'] };
    this.signerKey = options['signer-key'];
    this.#secrets.push(options.password, options['agent-secret']);
  }

  secrets() { return this.#secrets; }

  /** RFC 8414 and OpenID Connect Discovery, in each place where clients look. */
  async discover() {
    const [first, ...others] = await Promise.all([
      this.#discover({ algorithm: 'oauth2' }),
      this.#discover({ algorithm: 'oidc' }),
      // OpenID's document where RFC 8414 §3.1 puts a well-known one.
      this.#discover({
        algorithm: 'oidc',
        [oauth.customFetch]: (_, init) => fetch(`${this.issuer.origin}/.well-known/openid-configuration${this.issuer.pathname}`, init),
      }),
    ]);
    check(others.every((other) => isDeepStrictEqual(first, other)), 'the well-known documents differ');
    check(first.code_challenge_methods_supported?.includes('S256'), 'PKCE is not advertised');
    check(first.authorization_response_iss_parameter_supported === true, 'RFC 9207 is not advertised');
    this.as = first;
    return { issuer: first.issuer, documents: 1 + others.length };
  }

  /** RFC 7591. */
  async register() {
    const response = await oauth.dynamicClientRegistrationRequest(this.as, {
      client_name: 'oauth4webapi', redirect_uris: [REDIRECT_URI], response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none',
    }, INSECURE);
    this.app = await oauth.processDynamicClientRegistrationResponse(response);
    check(this.app.client_secret === undefined, 'a public client got a secret');
    return { client_id: this.app.client_id, grant_types: this.app.grant_types };
  }

  /** The code grant with PKCE; the library compares state and iss. */
  async authorize() {
    const { tokens } = await this.#codeGrant({ scope: this.scope });
    const { claims } = await this.#call(tokens);
    check(tokens.scope && tokens.expires_in > 0 && tokens.refresh_token, 'scope, expires_in or refresh_token is missing');
    this.tokens = tokens;
    return { scope: tokens.scope, expires_in: tokens.expires_in, aud: claims.aud, access_token: brief(tokens.access_token) };
  }

  async refresh() {
    const before = this.tokens;
    this.tokens = (await this.#refresh(before.refresh_token)).tokens;
    await this.#call(this.tokens);
    check(this.tokens.access_token !== before.access_token, 'the access token is the same');
    check(this.tokens.refresh_token && this.tokens.refresh_token !== before.refresh_token, 'the refresh token was not rotated');
    check(this.tokens.scope === before.scope, `the scope became ${this.tokens.scope}`);
    return { scope: this.tokens.scope };
  }

  /** RFC 6749 §4.4 with client_secret_basic. */
  async client_credentials() {
    const tokens = await this.#clientCredentials(this.agent, this.agentAuth);
    const { claims } = await this.#call(tokens);
    check(claims.client_id === this.agent.client_id, `the token is for ${claims.client_id}`);
    check(tokens.refresh_token === undefined, 'client credentials were given a refresh token');
    return { scope: tokens.scope, sub: claims.sub };
  }

  /** RFC 7662, by a client that has proved who it is. */
  async introspect() {
    const answer = await this.#introspect(this.tokens.access_token);
    check(answer.active, 'a token that was just issued is not active');
    check(answer.client_id === this.app.client_id, `it says the client is ${answer.client_id}`);
    check(answer.scope === this.tokens.scope, `it says the scope is ${answer.scope}`);
    const unknown = await this.#introspect('of-nobody');
    check(!unknown.active && Object.keys(unknown).length === 1, 'it tells about a token that it never issued');
    return { active: answer.active, scope: answer.scope, token_type: answer.token_type };
  }

  /** RFC 7009: with the refresh token goes its family. */
  async revoke() {
    const token = this.tokens.refresh_token;
    const revoke = () => oauth.revocationRequest(this.as, this.app, oauth.None(), token, INSECURE);
    await oauth.processRevocationResponse(await revoke());
    await refused('invalid_grant', this.#refresh(token), 'refreshing after revocation');
    await oauth.processRevocationResponse(await revoke()); // what is gone may go again
    const answer = await this.#introspect(this.tokens.access_token);
    check(!answer.active, 'the access token of a revoked family is active');
    return { refused: 'invalid_grant' };
  }

  /** RFC 9126: the request goes ahead, and the browser carries its name. */
  async push() {
    const { tokens, pushed } = await this.#codeGrant({ scope: this.scope }, { push: true });
    await this.#call(tokens);
    const again = new URL(this.as.authorization_endpoint);
    again.search = new URLSearchParams({ client_id: this.app.client_id, request_uri: pushed.request_uri });
    const repeated = await this.browser.signInAndConsent(again, REDIRECT_URI).then((url) => url.searchParams.get('code'), () => null);
    check(!repeated, 'a request URI was good for two codes');
    return { request_uri: pushed.request_uri.slice(0, 40), expires_in: pushed.expires_in, scope: tokens.scope };
  }

  /**
   * RFC 9449: code, token and refresh token are bound to a key; a client whose
   * clock is wrong gets a nonce to prove it with.
   */
  async bind() {
    const keyPair = await oauth.generateKeyPair('ES256');
    const DPoP = oauth.DPoP(this.app, keyPair);
    const jkt = await DPoP.calculateThumbprint();
    const { tokens } = await this.#codeGrant({ scope: this.scope, dpop_jkt: jkt }, { DPoP });
    check(tokens.token_type === 'dpop', `token_type is ${tokens.token_type}`);
    const { claims } = await this.#call(tokens, { DPoP });
    check(claims.cnf?.jkt === jkt, 'the token names another key');
    const answer = await this.#introspect(tokens.access_token);
    check(answer.cnf?.jkt === jkt, 'introspection names another key');
    const other = oauth.DPoP(this.app, await oauth.generateKeyPair('ES256'));
    for (const [name, options] of [['another key', { DPoP: other }], ['no key', {}]]) {
      const accepted = await this.#refresh(tokens.refresh_token, options).then(() => true, (error) => {
        if (error instanceof oauth.ResponseBodyError) return false;
        throw error;
      });
      check(!accepted, `${name} refreshed a token that is bound to a key`);
    }
    const wrongClock = oauth.DPoP({ [oauth.clockSkew]: WRONG_CLOCK_S }, keyPair);
    const renewed = await this.#refresh(tokens.refresh_token, { DPoP: wrongClock });
    check(renewed.retried, 'a proof with a wrong time was accepted without a nonce');
    const { claims: next } = await this.#call(renewed.tokens, { DPoP });
    check(next.cnf?.jkt === jkt, 'the refreshed token names another key');
    return { token_type: tokens.token_type, jkt: brief(jkt), nonce: renewed.retried };
  }

  /** OpenID Connect: a grant of openid comes with an ID token. */
  async id_token() {
    const nonce = oauth.generateRandomNonce();
    const { tokens, response } = await this.#codeGrant(
      { scope: `openid email ${this.scope}`, nonce }, {}, { expectedNonce: nonce, requireIdToken: true },
    );
    await oauth.validateApplicationLevelSignature(this.as, response, INSECURE);
    const identity = oauth.getValidatedIdTokenClaims(tokens);
    const { claims } = await this.#call(tokens);
    check(identity.sub === claims.sub, `the ID token is about ${identity.sub}, the access token about ${claims.sub}`);
    check(identity.email, 'email was granted and is missing');
    return { scope: tokens.scope, sub: identity.sub, email: identity.email };
  }

  /** RFC 7523 §2.2: the client signs who it is, each time anew. */
  async private_key_jwt() {
    const jwk = JSON.parse(await readFile(this.signerKey, 'utf8'));
    check(jwk.alg === 'ES256', `the signer's key is for ${jwk.alg}, and this script imports ES256`);
    const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
    const auth = oauth.PrivateKeyJwt({ key, kid: jwk.kid });
    const { claims } = await this.#call(await this.#clientCredentials(this.signer, auth));
    check(claims.client_id === this.signer.client_id, `the token is for ${claims.client_id}`);
    const jti = crypto.randomUUID();
    const replayed = oauth.PrivateKeyJwt({ key, kid: jwk.kid }, { [oauth.modifyAssertion]: (_, payload) => { payload.jti = jti; } });
    await this.#clientCredentials(this.signer, replayed);
    await refused('invalid_client', this.#clientCredentials(this.signer, replayed), 'an assertion used twice');
    return { client_id: claims.client_id, scope: claims.scope };
  }

  async #discover(options) {
    const response = await oauth.discoveryRequest(this.issuer, { ...INSECURE, ...options });
    return oauth.processDiscoveryResponse(this.issuer, response);
  }

  /** From the authorization request to the token response of the public client. */
  async #codeGrant(wanted, { push, DPoP } = {}, expected = {}) {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const request = {
      response_type: 'code', client_id: this.app.client_id, redirect_uri: REDIRECT_URI, resource: this.resource, state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...wanted,
    };
    const pushed = push && await this.#push(request);
    const url = new URL(this.as.authorization_endpoint);
    url.search = new URLSearchParams(pushed ? { client_id: this.app.client_id, request_uri: pushed.request_uri } : request);
    const callback = await this.browser.signInAndConsent(url, REDIRECT_URI);
    const answer = oauth.validateAuthResponse(this.as, this.app, callback, state);
    this.#secrets.push(answer.get('code'), verifier);
    const exchange = () => oauth.authorizationCodeGrantRequest(this.as, this.app, oauth.None(), answer, REDIRECT_URI, verifier,
      { DPoP, additionalParameters: { resource: this.resource }, ...INSECURE });
    const process = (response) => oauth.processAuthorizationCodeResponse(this.as, this.app, response, expected);
    return { pushed, ...(await this.#tokens(exchange, process)) };
  }

  async #push(request) {
    const response = await oauth.pushedAuthorizationRequest(this.as, this.app, oauth.None(), request, INSECURE);
    return oauth.processPushedAuthorizationResponse(this.as, this.app, response);
  }

  async #refresh(token, { DPoP } = {}) {
    const request = () => oauth.refreshTokenGrantRequest(this.as, this.app, oauth.None(), token, { DPoP, ...INSECURE });
    return this.#tokens(request, (response) => oauth.processRefreshTokenResponse(this.as, this.app, response));
  }

  async #clientCredentials(client, auth) {
    const request = () => oauth.clientCredentialsGrantRequest(this.as, client, auth, { resource: this.resource }, INSECURE);
    return (await this.#tokens(request, (response) => oauth.processClientCredentialsResponse(this.as, client, response))).tokens;
  }

  /** Makes a token request, and once more where the server wants its nonce in the proof (RFC 9449 §8). */
  async #tokens(request, process) {
    let retried = false;
    let response = await request();
    const tokens = await process(response).catch(async (error) => {
      if (!oauth.isDPoPNonceError(error)) throw error;
      retried = true;
      return process(response = await request());
    });
    this.#secrets.push(...[tokens.access_token, tokens.refresh_token, tokens.id_token].filter(Boolean));
    return { tokens, response, retried };
  }

  async #introspect(token) {
    const response = await oauth.introspectionRequest(this.as, this.agent, this.agentAuth, token, INSECURE);
    return oauth.processIntrospectionResponse(this.as, this.agent, response);
  }

  /** Calls the resource, which validates the token and returns its claims. */
  async #call({ access_token }, { DPoP } = {}) {
    let claims;
    const serve = async (url, init) => {
      const request = new Request(url, init);
      claims = await oauth.validateJwtAccessToken(this.as, request, this.resource, { requireDPoP: DPoP !== undefined, ...INSECURE });
      return new Response(null, { status: 204 });
    };
    await oauth.protectedResourceRequest(access_token, 'POST', new URL(this.resource), undefined, undefined,
      { DPoP, [oauth.customFetch]: serve, ...INSECURE });
    return { claims };
  }
}

async function refused(code, attempt, what) {
  const error = await attempt.then(() => undefined, (e) => e);
  check(error instanceof oauth.ResponseBodyError && error.error === code, `${what}: expected ${code}, got ${error ?? 'an answer'}`);
}

const flows = new Flows(args());
await walk(STEPS, (step) => flows[step](), { timeoutMs: TIMEOUT_MS, secrets: () => flows.secrets() });
process.exit(0);
