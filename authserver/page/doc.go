// Package page writes what people see of the authorization server: sign-in,
// consent and errors. The pages are plain HTML forms with one style sheet, need
// no script, and load nothing else.
//
// The names in the forms are a contract with whoever drives them: the inputs
// "username", "password" and "request"; the button "provider" with a provider's
// name; the button "decision" with "approve" or "deny".
//
// # Content Security Policy
//
// Everything is forbidden but our own style sheet, named by its hash, and being
// framed is forbidden too. The sign-in page may send its form to ourselves alone.
// The consent page has no form-action: Chromium applies that directive to every
// redirect that follows a submission, so the redirect to the client, the hop to
// an upstream provider, and wherever each of them sends the browser next would
// have to be listed, and nobody can know that list.
package page
