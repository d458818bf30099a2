//! Several books in order of trust: which entry prices a call.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;

use super::book::{Allowance, Book, Entry, Price};
use super::card::{Prepared, Segment, Terms};
use super::name::{Candidate, is_opaque};
use super::place::{OF_PLACE, is_region, location, names_this_place, placed};
use super::plan::{Cache, OF_NOTHING, Plan, RECENT, free, in_order, is_of_nothing, unpriced};
use super::provider::provider_key;
use super::seller::{bare, is_of_weights, own_prefix};
use super::terms::is_no_place;
use super::worst::Worst;
use crate::domain::charge::{Charge, UnpricedReason};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Rank, UsageEvent};

/// The model name of records that stand for no call. They cost nothing by rule.
pub(super) const SYNTHETIC: &str = "<synthetic>";

/// Books, the most trusted first.
#[derive(Debug, Default)]
pub struct Books {
    books: Vec<Book>,
    /// Looked for when a call has no price: it needs every entry.
    worst: OnceLock<Worst>,
    /// Whether a map asks for the account of a call.
    by_account: bool,
    cache: Mutex<Cache>,
}

/// What web searches cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerms {
    /// USD for one.
    pub rate: Decimal,
    /// Those that cost nothing.
    pub free: Option<Allowance>,
}

/// Searches that a free allowance pays for: of a row of spend, or of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeSearches {
    /// The allowance.
    pub allowance: Allowance,
    /// What was used of it before.
    pub used_before: u64,
    /// Those that are free.
    pub free: u64,
    /// USD for one that is not.
    pub rate: Decimal,
    /// What of the fees is not due.
    pub amount: Decimal,
}

impl Books {
    /// Puts books in order of trust.
    #[must_use]
    pub fn new(books: Vec<Book>) -> Self {
        Books {
            by_account: books.iter().flat_map(|b| &b.maps).any(|m| !m.account.is_empty()),
            books,
            worst: OnceLock::new(),
            cache: Mutex::default(),
        }
    }

    /// The books as they were known on a day.
    #[must_use]
    pub fn known_on(&self, day: NaiveDate) -> Books {
        Books::new(self.books.iter().map(|book| book.known_on(day)).collect())
    }

    /// The books.
    #[must_use]
    pub fn books(&self) -> &[Book] {
        &self.books
    }

    /// What a call costs.
    #[must_use]
    pub fn charge(&self, event: &UsageEvent) -> Charge {
        self.charge_by(&mut self.cache(), event)
    }

    /// Appends what each of these calls costs.
    pub fn charge_all(&self, events: &[&UsageEvent], charges: &mut Vec<Charge>) {
        let mut cache = self.cache();
        charges.extend(events.iter().map(|event| self.charge_by(&mut cache, event)));
    }

    fn charge_by(&self, cache: &mut Cache, event: &UsageEvent) -> Charge {
        let plan = self.plan_by(cache, event);
        // What nearly all calls are.
        let usual = plan.only().and_then(|(segment, prepared)| {
            let cost = prepared.usual_cost(event)?;
            Some(Charge::priced(cost, segment.label))
        });
        usual.unwrap_or_else(|| self.charge_with(plan, event))
    }

    pub(super) fn charge_with(&self, plan: &Plan, event: &UsageEvent) -> Charge {
        if event.rank.authority == Rank::COST_ALONE {
            // At most what its source says, as far as anyone knows.
            return Charge::unpriced(UnpricedReason::UsageIncomplete, event.reported_cost.unwrap_or_default());
        }
        let priced = plan.choose(event.at).and_then(|chosen| {
            let cost = chosen.prepared.cost(event)?;
            Ok((cost, chosen.segment.label))
        });
        match priced {
            Ok((cost, label)) => Charge::priced(cost, label),
            Err(_) if is_of_nothing(event) => Charge::priced(Decimal::ZERO, Label::new(OF_NOTHING)),
            Err(reason) => Charge::unpriced(reason, self.worst_case(event)),
        }
    }

    pub(super) fn plan(&self, event: &UsageEvent) -> Arc<Plan> {
        Arc::clone(self.plan_by(&mut self.cache(), event))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // A poisoned lock still guards a usable cache: entries are only ever added whole.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn plan_by<'c>(&self, cache: &'c mut Cache, event: &UsageEvent) -> &'c Arc<Plan> {
        let date = event.at.naive_utc().date();
        let key = (
            event.provider(),
            event.model(),
            if self.by_account {
                event.dimensions.get(Dimension::Account)
            } else {
                Label::EMPTY
            },
            event.tier(),
            event.speed,
            event.geo,
            date,
        );
        let spread = event.model().index() * 31 + event.tier().index() * 7 + date.ordinal() as usize;
        let make = || Arc::new(self.resolve(event, date));
        let Cache { plans, recent } = cache;
        if recent.is_empty() {
            recent.resize(RECENT, None);
        }
        let Some(slot) = recent.get_mut(spread % RECENT) else {
            return plans.entry(key).or_insert_with(make);
        };
        if slot.as_ref().is_none_or(|(known, _)| *known != key) {
            *slot = Some((key, Arc::clone(plans.entry(key).or_insert_with(make))));
        }
        &slot.get_or_insert_with(|| (key, make())).1
    }

    fn worst_case(&self, event: &UsageEvent) -> Decimal {
        let worst = self.worst.get_or_init(|| Worst::of(&self.books));
        worst.case(event)
    }

    fn resolve(&self, event: &UsageEvent, day: NaiveDate) -> Plan {
        let (provider, model) = (provider_key(event.provider().as_str()), event.model().as_str());
        if model == SYNTHETIC {
            return free("synthetic", "rule: a record that stands for no call costs nothing");
        }
        if model.trim().is_empty() {
            return unpriced(UnpricedReason::ModelMissing);
        }
        let account = event.dimensions.get(Dimension::Account);
        let front = own_prefix(event.provider().as_str());
        let mut maps = self.books.iter().flat_map(|b| &b.maps);
        let own = maps.find(|m| m.covers(&provider, front, account.as_str(), model));
        if let Some(own) = own.filter(|m| m.free) {
            return free(
                "declared free",
                &format!("rule: own map, `{}` is declared free", own.name),
            );
        }
        let name = own.map_or(model, |m| m.model.as_str());
        if is_opaque(name) {
            return unpriced(UnpricedReason::OpaqueName);
        }
        let seller = own.map(|m| m.as_provider.as_str()).filter(|p| !p.is_empty());
        let provider = seller.map_or(provider, provider_key);
        let mut event = *event;
        // A whole name tells which endpoint answered, as an ARN does.
        if provider == "vertex"
            && let Some(place) = [name, model].into_iter().find_map(location)
        {
            event.geo = Label::new(place);
        }
        let mut spelled = seller.unwrap_or(event.provider().as_str());
        let mut shelf = provider;
        if shelf.is_empty()
            && !is_of_weights(name)
            && let Some((head, _)) = name.split_once('/')
        {
            // A call without a provider may name it in the model.
            (shelf, spelled) = (provider_key(head), head);
        }
        let tries;
        (event.geo, tries) = placed(&shelf, spelled, event.geo, name);
        let mut plans: Vec<Plan> = Vec::new();
        for (at, book) in self.books.iter().enumerate() {
            let Some((candidate, entry)) = find(book, &shelf, &tries, day) else {
                continue;
            };
            let others = self.books.get(at + 1..).unwrap_or_default();
            if book.overlay && known_better(others, &shelf, &tries, candidate, day) {
                continue;
            }
            plans.push(prepare(book, &shelf, entry, candidate, &event, day, own.is_some()));
            // No further book is asked where this one has a price at every hour.
            if plans.iter().all(Plan::is_open) && plans.last().is_some_and(Plan::is_whole) {
                break;
            }
        }
        in_order(plans)
    }
}

/// Whether the next book that knows a model has rates of their own for a snapshot that an entry of another book covers as one of its
/// family: other ones than for the family. A book that knows only one of both, or has further terms for one of them, says nothing against
/// the price of the family.
fn known_better(others: &[Book], provider: &str, tries: &[Candidate], family: &Candidate, day: NaiveDate) -> bool {
    let earlier = tries.iter().position(|c| std::ptr::eq(c, family)).unwrap_or(0);
    let (exact, rest) = tries.split_at(earlier);
    // What a snapshot costs in some place does not say that it costs another amount than its family elsewhere.
    let alike = |c: &&Candidate| (c.how == OF_PLACE) == (family.how == OF_PLACE);
    let [exact, rest] = [exact, rest].map(|part| part.iter().filter(alike).cloned().collect::<Vec<_>>());
    let next = others.iter().find(|book| find(book, provider, tries, day).is_some());
    let of_snapshot =
        next.and_then(|book| Some((find(book, provider, &exact, day)?, find(book, provider, &rest, day)?)));
    family.snapshot.is_some()
        && of_snapshot.is_some_and(|((_, snapshot), (_, family))| {
            let (Some(one), Some(other)) = (snapshot.on(day), family.on(day)) else {
                return false;
            };
            let mut rates = one.rates.iter();
            rates.any(|(bucket, rate)| other.rates.get(bucket).is_some_and(|other| other != rate))
        })
}

fn find<'a, 'c>(
    book: &'a Book,
    provider: &str,
    tries: &'c [Candidate],
    day: NaiveDate,
) -> Option<(&'c Candidate, &'a Entry)> {
    tries
        .iter()
        // A snapshot from after the call cannot have answered it.
        .filter(|c| c.snapshot.is_none_or(|s| s <= day))
        .find_map(|c| {
            let entry = book.shelves.find(provider, c)?;
            let named = || entry.prices.iter().any(|p| !p.geographies.is_empty());
            let places = c.geography.is_empty() || book.overlay || named();
            let existed = c
                .snapshot
                .is_none_or(|s| entry.on(s).is_some() || entry.on(day).is_some());
            (places && existed).then_some((c, entry))
        })
}

fn prepare(
    book: &Book,
    provider: &str,
    entry: &Entry,
    candidate: &Candidate,
    event: &UsageEvent,
    day: NaiveDate,
    mapped: bool,
) -> Plan {
    let (tier, speed, geo) = (
        event.tier().as_str().to_lowercase(),
        event.speed.as_str().to_lowercase(),
        event.geo.as_str().to_lowercase(),
    );
    let geography = if candidate.geography.is_empty() {
        &geo
    } else {
        &candidate.geography
    };
    // The place that an entry is named for is no factor on its price.
    let geography = if names_this_place(bare(provider, &candidate.name), geography) {
        ""
    } else {
        geography
    };
    let terms = Terms {
        tier: &tier,
        speed: &speed,
        geography,
        free: candidate.free,
    };
    // Of these the host or region alone is told, for every model: a price without places holds in all of them. So does one of the
    // owner's, who would have named the places that differ.
    let told_always = candidate.geography.is_empty() && matches!(provider, "openai" | "vertex");
    let anywhere = book.overlay || told_always;
    // Whoever asks Bedrock asks in a Region: a price that says nothing of it, and of no other one, is that of a call without a place.
    let asked_there = is_region(geography) && provider_key(event.provider().as_str()) == "bedrock";
    let mut segments = Vec::new();
    for price in entry.all_on(day) {
        let mut terms = terms;
        let of_no_region = asked_there && ["*", geography].iter().all(|g| !price.geographies.contains_key(*g));
        if of_no_region || anywhere && price.geographies.is_empty() {
            terms.geography = "";
        }
        let mut prepared = Prepared::new(price, entry, terms);
        let note = if book.overlay && !told_always && !is_no_place(geography) && price.geographies.is_empty() {
            Some(format!(
                "your own price names no `geographies`: it holds for `{geography}` too"
            ))
        } else if provider == "bedrock"
            && (of_no_region || is_everywhere(price, geography))
            && is_other_region(geography)
        {
            Some(format!(
                "the book has no price of its own for the Region `{geography}`: priced as in us-east-1"
            ))
        } else if provider == "bedrock" && is_apart(geography) && is_any_other(price, geography) {
            let told = "the book has no price of its own for";
            Some(format!("{told} `{geography}`: priced as elsewhere"))
        } else {
            None
        };
        if let Ok(prepared) = &mut prepared {
            prepared.notes.extend(note);
        }
        let from = price.from.map(|d| d.to_string()).unwrap_or_default();
        let told = if from.is_empty() { "always" } else { &from };
        segments.push(Segment {
            hours: price.hours.clone(),
            price: prepared,
            label: Label::new(&format!("{}/{provider}/{}@{told}", book.name, entry.id)),
            from,
            dated: price.from.is_some() || price.to.is_some(),
        });
    }
    let map = if mapped { "own map, " } else { "" };
    Plan {
        reason: segments.is_empty().then_some(UnpricedReason::NoPriceOnDate),
        segments,
        book: book.name.clone(),
        version: book.version.clone(),
        provider: provider.to_owned(),
        entry: entry.id.clone(),
        matched: format!("{map}{}{}", candidate.how, indirect(entry, &candidate.name)),
        source: entry.source.clone(),
        checked: entry.checked.clone(),
        overlay: book.overlay,
        next: None,
    }
}

/// Whether a price says no more of a place than that it is as everywhere.
fn is_everywhere(price: &Price, place: &str) -> bool {
    let everywhere = price.geographies.get("*").is_some_and(|f| *f == Decimal::ONE);
    everywhere && !price.geographies.contains_key(place)
}

/// Whether a price holds in a place as in any that it does not name.
fn is_any_other(price: &Price, place: &str) -> bool {
    price.geographies.contains_key("*") && !price.geographies.contains_key(place)
}

/// Whether a place on Bedrock is of GovCloud, which costs more than all others.
fn is_apart(place: &str) -> bool {
    place.starts_with("us-gov")
}

/// Whether a place is a Region of AWS that is not the one whose prices books have.
fn is_other_region(place: &str) -> bool {
    is_region(place) && place != "us-east-1"
}

/// How the entry knows a name that is not its own.
fn indirect(entry: &Entry, name: &str) -> &'static str {
    if entry.id.to_lowercase() == name {
        ""
    } else if entry.clause.is_some() {
        ", by the book's match clause"
    } else {
        ", an alias of the entry"
    }
}
