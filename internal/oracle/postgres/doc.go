// Package postgres shows that several servers on one PostgreSQL database and one storage are one: what is written through
// one is seen through the other at once, each alone is enough, and a crash of one loses nothing. It runs the tests of the
// packages that keep metadata a second time on PostgreSQL.
//
// The PostgreSQL program comes with a package of the Python test environment and runs without root: it refuses to run as
// root, so there it runs as nobody. Only tests import this package.
package postgres
