// Package mailed lets a running server send mail to a running mail server, and kills it in between.
package mailed
