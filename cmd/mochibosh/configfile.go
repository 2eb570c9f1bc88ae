package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

// A fileResolver gives kong the values of the configuration file. They count
// for less than environment variables.
type fileResolver struct {
	path   string // empty: there is none
	values map[string]string
}

// read reads the file: names of flags, each with a value or a list of them.
func (f *fileResolver) read() error {
	if f.path == "" {
		return nil
	}
	var raw map[string]any
	if _, err := toml.DecodeFile(f.path, &raw); err != nil {
		return fmt.Errorf("configuration file %s: %w", f.path, err)
	}
	f.values = make(map[string]string, len(raw))
	var errs []error
	for name, v := range raw {
		text, err := flat(v)
		if err != nil {
			errs = append(errs, fmt.Errorf("configuration file %s: %s %w", f.path, name, err))
		}
		f.values[name] = text
	}
	return errors.Join(errs...)
}

// flat writes a value as a flag has it.
func flat(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64, bool:
		return fmt.Sprint(v), nil
	case []any:
		var all []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", errors.New("is a list of something else than strings")
			}
			all = append(all, strings.ReplaceAll(s, ",", `\,`))
		}
		return strings.Join(all, ","), nil
	}
	return "", errors.New("is neither a string, a whole number, true or false, nor a list of strings")
}

func (f *fileResolver) has(name string) bool { _, ok := f.values[name]; return ok }

// Validate implements kong.Resolver: names that are no settings are errors.
func (f *fileResolver) Validate(app *kong.Application) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		known := slices.ContainsFunc(app.Flags, func(flag *kong.Flag) bool { return flag.Name == name })
		if !known || name == "config" || name == "help" || name == "version" {
			errs = append(errs, fmt.Errorf("configuration file %s: no setting is called %q", f.path, name))
		}
	}
	return errors.Join(errs...)
}

// Resolve implements kong.Resolver.
func (f *fileResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := f.values[flag.Name]
	if !ok || isSet(flag) {
		return nil, nil
	}
	return v, nil
}
