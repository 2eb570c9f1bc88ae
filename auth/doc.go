// Package auth says who clients are and what they may do. It knows sessions,
// but neither what carries them nor what they talk to.
//
//	token ──▶ Guard.SignIn ──▶ Principal ──▶ context ──▶ Guard.Bind ──▶ session
//	               │                                                      │
//	        Authenticator                              Badge.Authorize ◀──┘
//	   JWT, webhook, your own                        grants, rules, Decide
//
// # A principal
//
// An [Authenticator] makes a [Principal] of a token: a user, what the token
// grants, and until when. Carriers call [Guard.SignIn] when a session is made,
// and hand the principal on in the context. [Guard.Bind] ties it to the
// session, whose user never changes again, and returns its [Badge];
// [Badge.Refresh] only changes what that user may do, and for how long.
//
// # Permission
//
// A [Grant] allows capabilities in the topics of a [Pattern]. What any grant
// of the token allows, or of a [Rule] of the server for such a user, is
// allowed; for the rest Options.Decide is asked, if there is one. With none of
// them nothing is allowed.
//
// # What a session keeps
//
// The principal is an attribute of the session, as text, so that whatever
// keeps sessions keeps it too. Besides, a guard has a record for each session,
// and a timer if the token expires.
package auth
