//! From the arguments of the process to the command that runs: settings, streams, colour, errors.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use clap::error::ErrorKind;
use comfy_table::Table;

use super::args::{Cli, Command, Global};
use super::text::Room;
use super::whole::Whole;
use super::{CliError, ColorWhen, Context, Exit, Format, wire};
use crate::adapters::clock::SystemClock;
use crate::adapters::traces::Tracer;
use crate::config::Config;
use crate::ports::Clock;

/// Runs one command line. Data goes to `out`, everything else to `err`.
pub fn main(args: impl IntoIterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let broken = Cell::new(false);
    let mut pipe = BufWriter::new(Pipe {
        inner: out,
        broken: &broken,
    });
    let outcome = start(args, &mut pipe, err).and_then(|exit| {
        pipe.flush().map_err(|cause| CliError::from(cause).after(exit))?;
        Ok(exit)
    });
    match outcome {
        Ok(exit) => exit,
        // `finops report | head` is no failure, and `finops run | head` hides none.
        Err(error) if broken.get() => error.found,
        Err(error) => {
            let _ = writeln!(err, "error: {}", error.message);
            if let Some(hint) = &error.hint {
                let _ = writeln!(err, "hint: {hint}");
            }
            error.exit
        }
    }
}

/// Remembers that the reader of the output went away.
struct Pipe<'a> {
    inner: &'a mut dyn Write,
    broken: &'a Cell<bool>,
}

impl Pipe<'_> {
    fn note<T>(&self, result: std::io::Result<T>) -> std::io::Result<T> {
        if let Err(error) = &result
            && error.kind() == std::io::ErrorKind::BrokenPipe
        {
            self.broken.set(true);
        }
        result
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.inner.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}

fn start(args: impl IntoIterator<Item = OsString>, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CliError> {
    let (cli, output) = match Cli::read(args) {
        Ok(read) => read,
        Err(error) => return told_by_clap(&error, out, err),
    };
    let config = settings(&cli)?;
    let format = match (cli.global.format, &output) {
        (Some(format), _) => format,
        // What these write has one form.
        (None, Some(path)) if !matches!(cli.command, Command::Completions(_) | Command::Man(_)) => format_of(path)?,
        (None, _) => Format::Table,
    };
    if format == Format::Html && !matches!(cli.command, Command::Report(_)) {
        return Err(CliError::usage("only `finops report` has the format `html`").hint("use `--format json`"));
    }
    let terminal = std::io::stdout().is_terminal() && output.is_none();
    let mut file = Vec::new();
    let mut ctx = Context {
        config,
        format,
        now: cli.global.now.unwrap_or_else(|| SystemClock.now()),
        begun: None,
        color: color(cli.global.color, terminal),
        interactive: std::io::stderr().is_terminal() && !cli.global.quiet,
        room: room(terminal),
        verbosity: verbosity(&cli.global),
        tracer: Tracer::default(),
        out: if output.is_some() { &mut file } else { out },
        err,
    };
    if let Some(path) = &output {
        // What a command does without the settings must not take the place of what they name either.
        let known = if cli.command.needs_config() {
            None
        } else {
            found(&cli).ok()
        };
        let own = known.map(|known| std::mem::replace(&mut ctx.config, known));
        wire::spare(&ctx, path, given(&cli.command))?;
        ctx.config = own.unwrap_or(ctx.config);
    }
    let exit = dispatch(&mut ctx, &cli.command)?;
    // A command that fails leaves an earlier file alone.
    if let Some(path) = output {
        let written = Whole::create(&path).and_then(|mut whole| whole.write_all(&file).and_then(|()| whole.finish()));
        written.map_err(|cause| {
            CliError::incomplete(format!("cannot write `{}`: {cause}", path.display()))
                .hint("check the folder and its permissions")
        })?;
    }
    Ok(exit)
}

/// The files that a command reads instead of those of the settings.
fn given(command: &Command) -> &[String] {
    match command {
        Command::Record(args) => &args.paths,
        Command::Report(args) => &args.files,
        Command::Run(_)
        | Command::Serve(_)
        | Command::Budget(_)
        | Command::Alert(_)
        | Command::Aws(_)
        | Command::Anomaly(_)
        | Command::Bill(_)
        | Command::Policy(_)
        | Command::Price(_)
        | Command::Explain(_)
        | Command::Reconcile(_)
        | Command::Export(_)
        | Command::Reprice(_)
        | Command::Init(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_) => &[],
    }
}

fn dispatch(ctx: &mut Context<'_>, command: &Command) -> Result<Exit, CliError> {
    match command {
        Command::Run(args) => super::run::run(ctx, args),
        Command::Serve(args) => super::serve::run(ctx, args),
        Command::Record(args) => super::record::run(ctx, args),
        Command::Report(args) => super::report::run(ctx, args),
        Command::Budget(args) => super::budget::run(ctx, args),
        Command::Alert(args) => super::alert::run(ctx, args),
        Command::Aws(args) => super::aws::run(ctx, args),
        Command::Anomaly(args) => super::anomaly::run(ctx, args),
        Command::Bill(args) => super::bill::run(ctx, args),
        Command::Policy(args) => super::policy::run(ctx, args),
        Command::Price(args) => super::price::run(ctx, args),
        Command::Explain(args) => super::explain::run(ctx, args),
        Command::Reconcile(args) => super::reconcile::run(ctx, args),
        Command::Export(args) => super::export::run(ctx, args),
        Command::Reprice(args) => super::reprice::run(ctx, args),
        Command::Init(args) => super::init::run(ctx, args),
        Command::Config(args) => super::config::run(ctx, args),
        Command::Completions(args) => super::completions::run(ctx, args),
        Command::Man(args) => super::completions::man(ctx, args),
    }
}

fn told_by_clap(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CliError> {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = error.render();
    if asked {
        write!(out, "{text}")?;
        Ok(Exit::Fine)
    } else {
        let _ = write!(err, "{text}");
        Ok(Exit::Usage)
    }
}

fn settings(cli: &Cli) -> Result<Config, CliError> {
    match cli.command.needs_config() {
        true => found(cli),
        false => Ok(Config::default()),
    }
}

fn found(cli: &Cli) -> Result<Config, CliError> {
    let mut config = Config::find(cli.global.config.as_deref())?;
    if let Some(url) = &cli.global.store {
        // A flag starts from the current folder, a setting from the folder of its file.
        let here = std::env::current_dir()?;
        config.store.named = true;
        config.store.url = match crate::config::StoreUrl::parse(url, &here)? {
            crate::config::StoreUrl::Memory | crate::config::StoreUrl::Dynamodb => url.clone(),
            crate::config::StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        };
    }
    Ok(config)
}

/// The format that the extension of a file stands for; text where it has none.
fn format_of(path: &Path) -> Result<Format, CliError> {
    let Some(extension) = path.extension() else {
        return Ok(Format::Table);
    };
    match extension.to_string_lossy().to_lowercase().as_str() {
        "txt" | "text" | "log" => Ok(Format::Table),
        "json" => Ok(Format::Json),
        "jsonl" | "ndjson" => Ok(Format::Jsonl),
        "csv" => Ok(Format::Csv),
        "md" | "markdown" => Ok(Format::Markdown),
        "html" | "htm" => Ok(Format::Html),
        other => Err(
            CliError::usage(format!("`{}`: no format has the extension `{other}`", path.display()))
                .hint("end the name in .txt, .json, .jsonl, .csv, .md or .html, or choose with `--format`"),
        ),
    }
}

fn color(when: ColorWhen, terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// Tables fit the terminal, or `COLUMNS`.
fn room(terminal: bool) -> Room {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let asked = || terminal.then(|| Table::new().width()).flatten().map(usize::from);
    let known = told.or_else(asked).filter(|&columns| columns > 0);
    known.map_or(Room::UNASKED, |width| Room { width, cut: true })
}

fn verbosity(global: &Global) -> u8 {
    if global.quiet {
        0
    } else {
        global.verbose.saturating_add(1)
    }
}
