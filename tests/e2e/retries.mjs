// What the tests of repeated requests have in common.
import { delay, KEY, until, user } from './harness.mjs';

export const RETRY = { 'x-stainless-retry-count': '1' };
export const withKey = key => ({ 'idempotency-key': key });

/** The two ways in which a client says that it asks once more: headers of the first time and after. */
export const ways = {
  'x-stainless-retry-count': { first: { 'x-stainless-retry-count': '0' }, again: RETRY },
  'Idempotency-Key': { first: withKey('k-1'), again: withKey('k-1') },
};

export const tenants = [{ name: 'alice', keys: [KEY] }, { name: 'bob', keys: ['bob-key'] }];

export const hello = (more = {}) =>
  ({ model: 'm', thread_id: 't', messages: [user('hello')], ...more });
export const ONE_TURN = ['user: hello', 'assistant: re: hello'];

export const isReplay = answer => answer.headers.get('x-idempotent-replay') === 'true';

/** The server does not try again itself. */
export const oneAttempt = { retry: { max_attempts: 1 } };

/** How many chat requests have come in. Needs `logged`. */
export const arrived = server => server.logLines(/ content id=\S+ request=/).length;
export const logged = { log: { content: true } };

/** The server has taken `count` requests up to where they wait for their thread. */
export async function untilArrived(server, count) {
  await until(() => arrived(server) >= count, `${count} requests have come`);
  await delay(50); // from the log line to the conversation
}
