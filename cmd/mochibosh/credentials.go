package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/auth/webtoken"
	"github.com/mochibosh/mochibosh/backends/bus/api"
)

// tokenCommand makes a token, of the issuer and for the audience that are set.
type tokenCommand struct {
	User    string        `arg:"" help:"User."`
	SignKey string        `placeholder:"FILE" help:"Private key in PEM, or secret, to sign with. Default: the first token-key, if that is a secret."`
	Expires time.Duration `default:"1h" help:"How long it is good. 0: for ever."`
	Grant   []string      `placeholder:"GRANT" help:"What it grants: CAPABILITY... on PATTERN.... Repeats."`
}

// Run prints the token.
func (c *tokenCommand) Run(t *terminal) error {
	file := c.SignKey
	if file == "" && len(t.in.TokenKey) > 0 {
		file = t.in.TokenKey[0]
	}
	if file == "" {
		return errors.New("token: needs --sign-key or --token-key")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	s, err := webtoken.ParseSigner(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	s.Issuer, s.Audience = t.in.TokenIssuer, t.in.TokenAudience
	p := &auth.Principal{User: c.User}
	if c.Expires > 0 {
		p.Expires = time.Now().Add(c.Expires)
	}
	for _, spec := range c.Grant {
		g, err := auth.ParseGrants(spec, auth.Subscribe, auth.Publish, auth.History, auth.Presence)
		if err != nil {
			return fmt.Errorf("--grant: %w", err)
		}
		p.Grants = append(p.Grants, g...)
	}
	token, err := s.Sign(p)
	if err != nil {
		return err
	}
	return t.print([]byte(token))
}

// keyCommand makes a key for the API, or for the admin page.
type keyCommand struct {
	Name  string `arg:"" help:"Whose it is."`
	Admin bool   `help:"It is for the admin page, and not for the API."`
	Grant string `default:"publish history presence sessions on * $*" placeholder:"GRANT" help:"What it is for: CAPABILITY... on PATTERN..., where capabilities are publish, history, presence and sessions."`
}

// Run prints the line for the file of keys to standard output, and the key, for
// its owner alone, to standard error.
func (c *keyCommand) Run(t *terminal) error {
	if c.Name == "" || strings.ContainsAny(c.Name, " \t\r\n#") {
		return fmt.Errorf("%q is no name for a key", c.Name)
	}
	if c.Admin {
		k, secret := newAdminKey(c.Name)
		fmt.Fprintln(t.stderr, secret)
		return t.print([]byte(k.String()))
	}
	grants, err := auth.ParseGrants(c.Grant, api.All...)
	if err != nil {
		return fmt.Errorf("--grant: %w", err)
	}
	k, secret := api.NewKey(c.Name, grants)
	fmt.Fprintln(t.stderr, secret)
	return t.print([]byte(k.String()))
}
