// What the scripts have in common: they walk through steps and print one JSON
// line a step on standard output; the exit code is 0 only if every step held.
// Secrets show their first eight characters at most.

/**
 * @param names    the steps in order
 * @param take     name => Promise of what the step found out
 * @param secrets  () => strings that no line may hold whole
 */
export async function walk(names, take, { timeoutMs, secrets }) {
  const timer = setTimeout(() => end('timeout', new Error(`not done after ${timeoutMs} ms`), secrets), timeoutMs);
  for (const step of names) {
    try {
      tell({ step, ok: true, ...(await take(step)) });
    } catch (error) {
      end(step, error, secrets);
    }
  }
  clearTimeout(timer);
}

export function brief(secret) { return `${secret.slice(0, 8)}…`; }

export function check(held, message) { if (!held) throw new Error(message); }

function end(step, error, secrets) {
  let text = [error?.message ?? error, error?.cause && JSON.stringify(error.cause.message ?? error.cause)].filter(Boolean).join(': ');
  for (const secret of secrets()) text = text.replaceAll(secret, brief(secret));
  tell({ step, ok: false, error: text });
  process.exit(1);
}

function tell(line) { process.stdout.write(`${JSON.stringify(line)}\n`); }
