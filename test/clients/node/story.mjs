// The story that both SDKs must live through.
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

import { Browser } from './browser.mjs';
import { MemoryProvider } from './provider.mjs';
import { brief, check, walk } from './steps.mjs';

const STORY_TIMEOUT_MS = 90_000;

/**
 * @param sdk.name            what to register as
 * @param sdk.Client          the SDK's client class, sdk.clientOptions its options
 * @param sdk.Transport       the SDK's streamable HTTP transport class
 * @param sdk.UnauthorizedError  what connecting throws after the redirect
 * @param sdk.finishAuth      (transport, URLSearchParams of the callback) => Promise
 */
export async function main(sdk) {
  const story = new Story(sdk, args());
  const steps = ['connect', 'authorize', 'token', 'list_tools', 'list_tasks', 'create_task_refused', 'refresh'];
  await walk(steps, (step) => story[step](), { timeoutMs: STORY_TIMEOUT_MS, secrets: () => story.secrets() });
  await story.client.close();
  process.exit(0);
}

function args() {
  const { values } = parseArgs({ options: { url: { type: 'string' }, username: { type: 'string' }, password: { type: 'string' } } });
  for (const name of ['url', 'username', 'password']) {
    if (!values[name]) {
      console.error(`usage: --url URL --username NAME --password PASSWORD (${name} is missing)`);
      process.exit(2);
    }
  }
  return values;
}

class Story {
  #seen = [];

  constructor(sdk, { url, username, password }) {
    this.sdk = sdk;
    this.url = new URL(url);
    this.provider = new MemoryProvider(sdk.name);
    this.browser = new Browser({ username, password });
  }

  secrets() {
    const tokens = this.provider.tokens() ?? {};
    return [this.code, tokens.access_token, tokens.refresh_token].filter(Boolean);
  }

  /** Connects to 401; the SDK discovers, registers and wants a page opened. */
  async connect() {
    const error = await this.#connect().then(() => undefined, (e) => e);
    check(error instanceof this.sdk.UnauthorizedError, `expected UnauthorizedError, got ${error ?? 'a session'}`);
    const refused = this.#last((r) => r.url === this.url.href && r.status === 401);
    check(refused?.challenge?.startsWith('Bearer '), `expected a 401 with a Bearer challenge, got ${JSON.stringify(refused)}`);
    const requests = this.#seen.filter((r) => r.url !== this.url.href).map((r) => `${r.method} ${r.url} ${r.status}`);
    check(requests.some((r) => r.startsWith('POST ') && r.endsWith(' 201')), `expected a registration, saw ${requests.join(', ')}`);
    check(this.provider.opened.length === 1, `expected one page to open, got ${this.provider.opened.length}`);
    return { challenge: refused.challenge, requests, client_id: this.provider.clientInformation().client_id };
  }

  async authorize() {
    const url = this.provider.opened[0];
    this.callback = await this.browser.signInAndConsent(url);
    const response = this.callback.searchParams;
    check(!response.get('error'), `the authorization server answered ${response.get('error')}`);
    check(response.get('state') === this.provider.lastState, 'the state came back changed');
    check(response.get('iss') === this.provider.discoveryState().authorizationServerMetadata.issuer, `iss is ${response.get('iss')}`);
    this.code = response.get('code');
    return { scope: url.searchParams.get('scope'), resource: url.searchParams.get('resource'), iss: response.get('iss'), code: brief(this.code) };
  }

  async token() {
    await this.sdk.finishAuth(this.transport, this.callback.searchParams);
    await this.#connect();
    const { access_token, refresh_token, scope, expires_in } = this.provider.tokens();
    check(scope && expires_in > 0 && refresh_token, `expected scope, expires_in and a refresh token, got scope=${scope} expires_in=${expires_in}`);
    return { scope, expires_in, access_token: brief(access_token), protocol: this.sdk.protocol(this.client, this.transport) };
  }

  async list_tools() {
    const { tools } = await this.client.listTools();
    const names = tools.map((tool) => tool.name);
    check(names.includes('list_tasks'), `expected list_tasks, got ${names.join(' ')}`);
    return { tools: names };
  }

  async list_tasks() { return { tasks: (await this.#tasks()).length }; }

  /** The 403 must stand whatever the SDK tries, and nothing may have happened. */
  async create_task_refused() {
    const title = `unwanted ${randomUUID()}`;
    const error = await this.client.callTool({ name: 'create_task', arguments: { title } }).then(() => undefined, (e) => e);
    check(error, 'create_task was carried out');
    const refused = this.#last((r) => r.status === 403);
    check(/^Bearer .*error="insufficient_scope"/.test(refused?.challenge ?? ''), `expected a 403 with insufficient_scope, got ${JSON.stringify(refused)}: ${error.message}`);
    check(!(await this.#tasks()).some((task) => task.title === title), 'the task was created all the same');
    return { challenge: refused.challenge, sdk: error.constructor.name, asked_again_for: this.provider.opened[1]?.searchParams.get('scope') };
  }

  /** A 401 for a token that is no longer good makes the SDK refresh by itself. */
  async refresh() {
    const before = this.provider.tokens();
    this.provider.saveTokens({ ...before, access_token: 'no-longer-valid' });
    const mark = this.#seen.length;
    await this.client.listTools();
    const after = this.provider.tokens();
    const refused = this.#seen.slice(mark).find((r) => r.status === 401);
    check(refused?.challenge?.includes('error="invalid_token"'), `expected a 401 with invalid_token, got ${JSON.stringify(refused)}`);
    check(after.access_token !== before.access_token && after.access_token !== 'no-longer-valid', 'the access token did not change');
    check(after.refresh_token !== before.refresh_token, 'the refresh token was not rotated');
    return { scope: after.scope, access_token: brief(after.access_token) };
  }

  async #connect() {
    this.client = new this.sdk.Client({ name: this.sdk.name, version: '1.0.0' }, this.sdk.clientOptions);
    this.transport = new this.sdk.Transport(this.url, { authProvider: this.provider, fetch: (url, init) => this.#fetch(url, init) });
    await this.client.connect(this.transport);
  }

  async #fetch(url, init) {
    const response = await fetch(url, init);
    this.#seen.push({
      method: init?.method ?? 'GET', url: String(url), status: response.status,
      challenge: response.headers.get('www-authenticate') ?? undefined,
    });
    return response;
  }

  #last(matches) { return this.#seen.findLast(matches); }

  async #tasks() {
    const result = await this.client.callTool({ name: 'list_tasks', arguments: {} });
    check(!result.isError, `list_tasks reported ${JSON.stringify(result.content)}`);
    return result.structuredContent.tasks;
  }
}
