package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrInvalid is the class of every error of this package.
var ErrInvalid = errors.New("invalid configuration")

// Load makes a Config from the defaults, then the text of a configuration
// file, then the environment (only the variables that begin with AZULEJO_ are
// looked at), then the flags (key to values, a key being a setting's Key).
// Each later source replaces what an earlier one said about a key, lists
// included. All faults are reported in one error of class ErrInvalid.
//
// The file has one "key = value" per line; a line that begins with # is a
// comment, and a repeatable key may occur on several lines. In the environment
// the entries of a list are separated as in PATH.
func Load(file string, env map[string]string, flags map[string][]string) (Config, error) {
	var c Config
	faults := applyDefaults(&c)
	faults = append(faults, applyFile(&c, file)...)
	faults = append(faults, applyEnv(&c, env)...)
	faults = append(faults, applyFlags(&c, flags)...)
	if err := c.Validate(); err != nil {
		faults = append(faults, err)
	}
	return c, errors.Join(faults...)
}

func applyDefaults(c *Config) (faults []error) {
	for _, s := range settings {
		if s.Default == "" {
			continue
		}
		if err := s.set(c, s.Default); err != nil {
			faults = append(faults, fault("default", s.Key, err))
		}
	}
	return faults
}

func applyFile(c *Config, text string) (faults []error) {
	values := map[string][]string{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			faults = append(faults, fmt.Errorf("%w: file line %d is not of the form key = value", ErrInvalid, i+1))
			continue
		}
		values[key] = append(values[key], value)
	}
	return append(faults, apply(c, "file", values, false)...)
}

func applyEnv(c *Config, env map[string]string) []error {
	byEnv := map[string]Setting{}
	for _, s := range settings {
		byEnv[s.Env()] = s
	}
	values := map[string][]string{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.HasPrefix(name, envPrefix) || foreignEnv(name) {
			continue
		}
		s, known := byEnv[name]
		switch {
		case !known:
			faults = append(faults, fmt.Errorf("%w: environment variable %s is not a setting", ErrInvalid, name))
		case s.Repeat:
			values[s.Key] = filepath.SplitList(env[name])
		default:
			values[s.Key] = []string{env[name]}
		}
	}
	return append(faults, apply(c, "environment", values, true)...)
}

func applyFlags(c *Config, flags map[string][]string) []error {
	return apply(c, "flag", flags, false)
}

// apply sets the values of one source. A repeatable key first loses what
// earlier sources gave it.
func apply(c *Config, source string, values map[string][]string, secrets bool) (faults []error) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		at := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == key })
		if at < 0 {
			faults = append(faults, fmt.Errorf("%w: %s: %q is not a setting", ErrInvalid, source, key))
			continue
		}
		s := settings[at]
		switch {
		case s.Secret && !secrets:
			faults = append(faults, fmt.Errorf("%w: %s: %q is secret and may only come from %s",
				ErrInvalid, source, key, s.Env()))
			continue
		case !s.Repeat && len(values[key]) > 1:
			faults = append(faults, fmt.Errorf("%w: %s: %q is given %d times", ErrInvalid, source, key, len(values[key])))
			continue
		case s.Repeat:
			c.clear(key)
		}
		for _, v := range values[key] {
			if err := s.set(c, v); err != nil {
				faults = append(faults, fault(source, key, err))
			}
		}
	}
	return faults
}

func (c *Config) clear(key string) {
	if key == "allow-path" {
		c.AllowPaths = nil
	}
}

func fault(source, key string, err error) error {
	return fmt.Errorf("%w: %s: %s: %w", ErrInvalid, source, key, err)
}

const envPrefix = "AZULEJO_"

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// foreignEnv reports variables that others put there: Kubernetes describes a
// service named azulejo to every pod, and our own tests use AZULEJO_TEST_.
func foreignEnv(name string) bool {
	for _, prefix := range []string{"AZULEJO_SERVICE_", "AZULEJO_PORT", "AZULEJO_TEST_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func text(at func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error { *at(c) = v; return nil }
}

func appendText(at func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, v string) error { *at(c) = append(*at(c), v); return nil }
}

func boolean(at func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		if *at(c), err = strconv.ParseBool(v); err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		return nil
	}
}

func integer(at func(*Config) *int) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		if *at(c), err = strconv.Atoi(v); err != nil {
			return fmt.Errorf("%q is not a whole number", v)
		}
		return nil
	}
}

func duration(at func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		if *at(c), err = time.ParseDuration(v); err != nil {
			return fmt.Errorf("%q is not a duration such as 30m or 720h", v)
		}
		return nil
	}
}

// history is a duration or "forever".
func history(at func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "forever" {
			*at(c) = math.MaxInt64
			return nil
		}
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return fmt.Errorf("%q is neither forever nor a time such as 720h", v)
		}
		*at(c) = d
		return nil
	}
}

func size(at func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		*at(c), err = parseSize(v)
		return err
	}
}

// parseSize reads a number of bytes, plain or with KiB, MiB or GiB behind it.
func parseSize(v string) (int64, error) {
	number, unit := v, int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": mebibyte, "GiB": gibibyte} {
		if s, ok := strings.CutSuffix(v, suffix); ok {
			number, unit = strings.TrimSpace(s), factor
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("%q is not a size such as 1048576, 64MiB or 2GiB", v)
	}
	return n * unit, nil
}
