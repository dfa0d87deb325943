// A person at a browser: fetches pages, keeps cookies, fills in the sign-in and
// the consent form, and follows redirects up to the client's redirect URI.
import { parse } from 'parse5';
import { CookieJar } from 'tough-cookie';

const PAGE_TIMEOUT_MS = 30_000;
const MAX_PAGES = 8;
const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303]);

export class Browser {
  #jar = new CookieJar();
  #signedIn = false;

  constructor({ username, password }) {
    this.username = username;
    this.password = password;
  }

  /**
   * Returns the redirect URI with the authorization response, unfetched. A URL
   * whose parameters were pushed does not say where it leads.
   */
  async signInAndConsent(authorizeUrl, redirectUri = authorizeUrl.searchParams.get('redirect_uri')) {
    const redirect = new URL(redirectUri);
    this.#signedIn = false;
    let next = { url: authorizeUrl };
    for (let i = 0; i < MAX_PAGES; i++) {
      const { callback, page } = await this.#follow(next, redirect);
      if (callback) return callback;
      next = this.#answer(page);
    }
    throw new Error(`still no redirect to ${redirect.href} after ${MAX_PAGES} pages`);
  }

  async #follow(request, redirect) {
    for (let i = 0; i < MAX_REDIRECTS; i++) {
      const response = await this.#fetch(request);
      const location = response.headers.get('location');
      if (!REDIRECTS.has(response.status) || !location) return { page: await readPage(response, request.url) };
      await response.body?.cancel();
      const url = new URL(location, request.url);
      if (url.origin === redirect.origin && url.pathname === redirect.pathname) return { callback: url };
      request = { url };
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
  }

  async #fetch({ url, form }) {
    const headers = { accept: 'text/html' };
    const cookie = await this.#jar.getCookieString(url.href);
    if (cookie) headers.cookie = cookie;
    if (form) headers.origin = url.origin;
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET', body: form, headers, redirect: 'manual',
      signal: AbortSignal.timeout(PAGE_TIMEOUT_MS),
    });
    for (const cookie of response.headers.getSetCookie()) await this.#jar.setCookie(cookie, url.href);
    return response;
  }

  #answer({ url, forms }) {
    const signIn = forms.find((f) => f.fields.has('username') && f.fields.has('password'));
    const consent = forms.find((f) => f.buttons.some((b) => b.name === 'decision' && b.value === 'approve'));
    const form = signIn ?? consent;
    if (!form) throw new Error(`${url.origin}${url.pathname} has neither a sign-in nor a consent form`);
    if (form.method !== 'post') throw new Error(`${url.origin}${url.pathname} sends its form by ${form.method}`);
    if (signIn) {
      if (this.#signedIn) throw new Error('the sign-in page came back: username or password refused');
      this.#signedIn = true;
      form.fields.set('username', this.username);
      form.fields.set('password', this.password);
    } else {
      form.fields.set('decision', 'approve');
    }
    return { url: new URL(form.action, url), form: form.fields };
  }
}

async function readPage(response, url) {
  const html = await response.text();
  const forms = findForms(parse(html));
  if (!response.ok && forms.length === 0) {
    throw new Error(`${url.origin}${url.pathname} answered ${response.status}`);
  }
  return { url, forms };
}

function findForms(node, form, forms = []) {
  const attributes = Object.fromEntries((node.attrs ?? []).map((a) => [a.name, a.value]));
  if (node.nodeName === 'form') {
    form = { action: attributes.action ?? '', method: (attributes.method ?? 'get').toLowerCase(), fields: new URLSearchParams(), buttons: [] };
    forms.push(form);
  } else if (form && attributes.name && attributes.disabled === undefined) {
    addField(form, node.nodeName, attributes);
  }
  for (const child of node.childNodes ?? []) findForms(child, form, forms);
  return forms;
}

function addField(form, element, { name, value = '', type = '', checked }) {
  const isButton = (element === 'button' && !['button', 'reset'].includes(type)) || (element === 'input' && type === 'submit');
  if (isButton) form.buttons.push({ name, value });
  else if (element !== 'input') return;
  else if (!['checkbox', 'radio'].includes(type) || checked !== undefined) form.fields.append(name, value);
}
