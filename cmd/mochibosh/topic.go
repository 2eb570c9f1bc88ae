package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// parseTopics reads all values of --topic.
func parseTopics(specs []string) (rules []bus.TopicRule, err error) {
	var errs []error
	for _, spec := range specs {
		r, err := parseTopic(spec)
		if err != nil {
			errs = append(errs, fmt.Errorf("topic %q: %w", spec, err))
			continue
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(errs...)
}

// parseTopic reads PATTERN[?OPTIONS].
func parseTopic(spec string) (r bus.TopicRule, err error) {
	pattern, options, _ := strings.Cut(spec, "?")
	if pattern == "" || strings.Contains(strings.TrimSuffix(pattern, "*"), "*") {
		return r, fmt.Errorf("%q is neither the name of a topic nor the beginning of names and *", pattern)
	}
	r.Pattern = pattern
	values, err := url.ParseQuery(options)
	if err != nil {
		return r, err
	}
	for name, v := range values {
		set, ok := topicOptions[name]
		switch {
		case !ok:
			return r, fmt.Errorf("no option is called %q", name)
		case len(v) > 1:
			return r, fmt.Errorf("%s is there twice", name)
		}
		if err := set(&r, v[0]); err != nil {
			return r, fmt.Errorf("%s=%s: %w", name, v[0], err)
		}
	}
	return r, nil
}

var topicOptions = map[string]func(*bus.TopicRule, string) error{
	"history": func(r *bus.TopicRule, v string) (err error) {
		if v == "off" {
			r.History = -1
			return nil
		}
		r.History, err = above(v)
		return err
	},
	"age": func(r *bus.TopicRule, v string) (err error) {
		if r.Age, err = time.ParseDuration(v); err == nil && r.Age <= 0 {
			err = errors.New("not above zero")
		}
		return err
	},
	"bytes":       func(r *bus.TopicRule, v string) error { return bytesOf(&r.Bytes, v) },
	"max-message": func(r *bus.TopicRule, v string) error { return bytesOf(&r.MaxMessage, v) },
	"slow": func(r *bus.TopicRule, v string) error {
		policy, ok := policies[v]
		if !ok {
			return errors.New("neither end, drop-oldest nor latest-per-key")
		}
		r.Slow = policy
		return nil
	},
	"rate": func(r *bus.TopicRule, v string) (err error) {
		if r.Rate, err = strconv.ParseFloat(v, 64); err != nil || !(r.Rate > 0 && r.Rate <= 1e9) {
			err = errors.New("no number of messages a second")
		}
		return err
	},
	"burst":    func(r *bus.TopicRule, v string) (err error) { r.Burst, err = above(v); return err },
	"publish":  func(r *bus.TopicRule, v string) error { return either(&r.ServerOnly, v, "server", "clients") },
	"presence": func(r *bus.TopicRule, v string) error { return either(&r.NoPresence, v, "off", "on") },
	"users":    func(r *bus.TopicRule, v string) error { return either(&r.ShowUsers, v, "on", "off") },
	"events":   func(r *bus.TopicRule, v string) error { return either(&r.NoEvents, v, "off", "on") },
}

var policies = map[string]bus.Policy{"end": bus.End, "drop-oldest": bus.DropOldest, "latest-per-key": bus.LatestPerKey}

func above(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err == nil && n <= 0 {
		err = errors.New("not above zero")
	}
	return n, err
}

func bytesOf(n *int, v string) error {
	var s size
	err := s.UnmarshalText([]byte(v))
	*n = int(s)
	return err
}

// either sets what one of two words switches on.
func either(field *bool, v, set, unset string) error {
	if v != set && v != unset {
		return fmt.Errorf("neither %s nor %s", set, unset)
	}
	*field = v == set
	return nil
}
