// Package encrypted has tests only: unmodified clients use encrypted arrays whose keys the server has.
package encrypted
