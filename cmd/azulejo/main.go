// Command azulejo is the Azulejo server and its tools: serve arrays in TileDB's format over the REST protocol, manage
// users and tokens of a data directory, and look at, check and measure local arrays.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"azulejo/internal/activity"
)

// commands is the command line: one field per subcommand.
type commands struct {
	Serve   serveCommand    `cmd:"" help:"Serve arrays; 'azulejo serve --help' lists the settings." passthrough:""`
	Token   tokenCommand    `cmd:"" help:"Create, list and revoke API tokens of a data directory."`
	User    userCommand     `cmd:"" help:"Add users to a data directory."`
	Service serviceCommand  `cmd:"" help:"Manage service accounts of organizations."`
	Audit   auditCommand    `cmd:"" help:"Print who did what with which token, from the audit log."`
	Quota   quotaCommand    `cmd:"" help:"Set and list what namespaces may spend in a month."`
	Usage   usageCommand    `cmd:"" help:"Print what was done at whose cost, as CSV."`
	DB      databaseCommand `cmd:"" name:"db" help:"Carry the metadata of a data directory to another database."`
	Backup  backupCommand   `cmd:"" help:"Copy the metadata, and the default storage if asked, while the server runs."`
	Restore restoreCommand  `cmd:"" help:"Bring a backup back into a new data directory or database."`
	Check   checkCommand    `cmd:"" help:"Compare the catalogue of a data directory with what is stored, and mend it."`
	Key     operatorCommand `cmd:"" help:"Change the operator's key of a data directory."`
	Array   arrayCommand    `cmd:"" help:"Look at, check, consolidate, copy, move and remove arrays and groups of this machine and of object stores, without a server."`
	Bench   benchCommand    `cmd:"" help:"Time one operation on a local array, for comparisons between engines."`
	Version versionCommand  `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

// Run is called by the command line parser.
func (versionCommand) Run() error {
	fmt.Println("azulejo", version())
	return nil
}

// version is the module's version and the commit it was built from, as the Go tool recorded them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += " " + s.Value
		}
	}
	return text
}

func main() { os.Exit(run(os.Args[1:])) }

// errReported is returned by commands that have already said what is wrong.
var errReported = errors.New("reported")

// run parses and carries out one command line and returns the exit status: 0, 1 for a failure, 2 for a line that does
// not parse.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx = activity.As(ctx, "", "", commandLine)
	var line commands
	status := -1
	parser, err := kong.New(&line, kong.Name("azulejo"), kong.Description("Stores, shares and slices arrays for TileDB's clients."),
		kong.UsageOnError(), kong.Exit(func(code int) { status = code }), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "azulejo:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if status >= 0 { // help was asked for and printed
		return status
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "azulejo:", err)
		return 2
	}
	if err := command.Run(); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "azulejo:", strings.ReplaceAll(err.Error(), "\n", "\nazulejo: "))
		}
		return 1
	}
	return 0
}
