// Package receipthook posts receipts to the developer's application:
//
//	{"receipts":[{"topic":"t","epoch":"…","offset":7,"id":"…","member":"…","user":"ann","at":1800000000000}]}
//
// Anything but a 2xx is tried again, after a second, two, four and so on up to half
// a minute, except for a 4xx other than 408 and 429: that refuses them for good. So
// receipts may come twice; webhook-id is the same then.
//
// With a secret, each request is signed as Standard Webhooks has it
// (https://www.standardwebhooks.com): webhook-id, webhook-timestamp and
// webhook-signature, "v1," and the HMAC-SHA256 in base64 of the three parts
// id.timestamp.body.
package receipthook
