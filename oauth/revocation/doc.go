// Package revocation is the feed of what ended before its time, from both ends: the
// authorization server writes Feeds, a resource server follows them into a Set and
// refuses the tokens that the Set contains.
//
//	GET URL?after=CURSOR&wait=25 ──▶ {"next":"…","revocations":[{"id":"…","exp":…}],"more":false}
//
// The answer holds what was revoked behind the cursor, in order, and the cursor to ask
// with next. Without a cursor it begins with the oldest that still matters. Where
// there is nothing new, the server holds the request for up to wait seconds and then
// answers with an empty list; whoever begins does not wait. "more" says that there is
// more already. A server that does not know a cursor any more answers 410, and the
// follower begins anew.
//
// An id is that of a grant or the "jti" of a token without one. Nobody can do
// anything with it, so that the feed is public. It is remembered only until every
// token that it concerns has expired.
package revocation
