// Package attacks has what a hostile client does to mochibosh, one file to a
// kind, against the program itself and over real sockets. SECURITY.md says which
// attack is answered where.
package attacks
