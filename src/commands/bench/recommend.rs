//! The smallest pool that is as good as the best one, why, and how sure that is. Pure.

use super::noise::{Noise, mean};
use super::plan::Setting;
use crate::stats::hlog::table::short;

/// Where so much may be noise, a choice is hardly one.
const TOO_MUCH: f64 = 0.5;
/// .. unless what was chosen looks no worse than this beside the best.
const ALIKE: f64 = 0.1;

/// One setting's figures, round by round.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub setting: Setting,
    /// Nanoseconds, as clients saw it.
    pub p99: Vec<f64>,
    /// Requests a second.
    pub throughput: Vec<f64>,
    /// Why it cannot be taken, whatever its figures are: errors, clients that never got a connection.
    pub flaw: Option<String>,
}

/// What to take.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Advice {
    /// `None`: nothing can be said.
    pub choice: Option<Setting>,
    /// One sentence.
    pub verdict: String,
    /// Why, and how sure: sentences.
    pub reasons: Vec<String>,
}

/// A candidate's means.
struct Judged<'a> {
    of: &'a Candidate,
    p99: f64,
    throughput: f64,
}

/// How far apart is apart.
struct Margins {
    p99: Noise,
    throughput: Noise,
    rounds: usize,
}

impl Margins {
    fn p99(&self) -> f64 {
        self.p99.margin(self.rounds)
    }

    fn throughput(&self) -> f64 {
        self.throughput.margin(self.rounds)
    }

    fn are_too_much(&self) -> bool {
        self.p99().max(self.throughput()) > TOO_MUCH
    }

    /// Whether what counts as equal to the best looks worse by far more than nothing, and only the noise excuses it.
    fn excuse(&self, chosen: &Judged<'_>, pools: &[&Judged<'_>]) -> bool {
        let most = best_throughput(pools);
        let fastest = best_p99(pools.iter().filter(|pool| pool.does_enough(most, self)));
        let looks_worse = chosen.p99 > fastest * (1.0 + ALIKE) || chosen.throughput * (1.0 + ALIKE) < most;
        self.are_too_much() && looks_worse
    }
}

/// Judges the settings; direct connections among them count for the noise and are what the choice is compared with.
pub(super) fn recommend(candidates: &[Candidate]) -> Advice {
    let margins = Margins {
        p99: Noise::of(candidates.iter().map(|c| &c.p99[..])),
        throughput: Noise::of(candidates.iter().map(|c| &c.throughput[..])),
        rounds: candidates.iter().map(|c| c.p99.len()).min().unwrap_or(0),
    };
    let judged: Vec<Judged<'_>> = candidates.iter().filter_map(Judged::of).collect();
    let pools: Vec<&Judged<'_>> = judged.iter().filter(|j| j.of.setting != Setting::Direct).collect();
    let flaws = candidates.iter().filter_map(|c| Some(format!("{}: {}", c.setting.name(), c.flaw.as_ref()?)));
    let flaws: Vec<String> = flaws.map(|flaw| format!("Not considered: {flaw}.")).collect();
    let Some(chosen) = choose(&pools, &margins) else {
        let verdict = "No recommendation: no pool was measured without errors.".to_owned();
        return Advice { choice: None, verdict, reasons: flaws };
    };
    let direct = judged.iter().find(|j| j.of.setting == Setting::Direct);
    let mut reasons = vec![why(chosen, &pools, &margins)];
    reasons.extend(next_smaller(chosen, &pools, &margins));
    reasons.extend(direct.map(|direct| beside_direct(chosen, direct)));
    reasons.push(how_sure(chosen, &pools, &margins));
    reasons.extend(flaws);
    let choice = chosen.of.setting;
    Advice { choice: Some(choice), verdict: verdict(choice, margins.excuse(chosen, &pools)), reasons }
}

impl<'a> Judged<'a> {
    fn of(candidate: &'a Candidate) -> Option<Judged<'a>> {
        let (p99, throughput) = (mean(&candidate.p99), mean(&candidate.throughput));
        let is_sound = candidate.flaw.is_none() && p99 > 0.0 && throughput > 0.0;
        is_sound.then_some(Judged { of: candidate, p99, throughput })
    }

    fn size(&self) -> usize {
        match self.of.setting {
            Setting::Direct => usize::MAX,
            Setting::Pool { size, .. } => size,
        }
    }

    fn is_fast_enough(&self, best: f64, margins: &Margins) -> bool {
        self.p99 <= best * (1.0 + margins.p99())
    }

    fn does_enough(&self, best: f64, margins: &Margins) -> bool {
        self.throughput * (1.0 + margins.throughput()) >= best
    }
}

fn best_p99<'a>(pools: impl Iterator<Item = &'a &'a Judged<'a>>) -> f64 {
    pools.map(|pool| pool.p99).fold(f64::INFINITY, f64::min)
}

fn best_throughput(pools: &[&Judged<'_>]) -> f64 {
    pools.iter().map(|pool| pool.throughput).fold(0.0, f64::max)
}

/// Of those that do as much as the best, those that are as fast as the fastest of them; of these the smallest, and of several
/// modes of one size the faster one.
fn choose<'a>(pools: &[&'a Judged<'a>], margins: &Margins) -> Option<&'a Judged<'a>> {
    let most = best_throughput(pools);
    let able: Vec<_> = pools.iter().copied().filter(|pool| pool.does_enough(most, margins)).collect();
    let fastest = best_p99(able.iter());
    let good = able.into_iter().filter(|pool| pool.is_fast_enough(fastest, margins));
    good.min_by(|a, b| a.size().cmp(&b.size()).then(a.p99.total_cmp(&b.p99)))
}

fn verdict(choice: Setting, is_doubtful: bool) -> String {
    let Setting::Pool { mode, size } = choice else { return String::new() };
    let connections = if size == 1 { "connection" } else { "connections" };
    let settings = format!("pool.mode = \"{}\", size = {size}, max_overflow = 0", mode.name());
    match is_doubtful {
        false => format!("Take {size} {connections} in mode {}: {settings}.", mode.name()),
        true => format!(
            "The noise is too great for a choice. The smallest that may be as good as the best is {size} {connections} in mode {}: \
             {settings}.",
            mode.name()
        ),
    }
}

fn why(chosen: &Judged<'_>, pools: &[&Judged<'_>], margins: &Margins) -> String {
    let most = best_throughput(pools);
    let fastest = best_p99(pools.iter().filter(|pool| pool.does_enough(most, margins)));
    format!(
        "It is the smallest whose throughput ({:.0} requests/s; the best had {most:.0}) and p99 ({}; the best had {}) are within \
         the noise of the best (means over the rounds).",
        chosen.throughput,
        short(chosen.p99 as u64),
        short(fastest as u64),
    )
}

/// What the next smaller pool of the same mode would cost.
fn next_smaller(chosen: &Judged<'_>, pools: &[&Judged<'_>], margins: &Margins) -> Option<String> {
    let of_mode = pools.iter().filter(|pool| is_same_mode(pool, chosen));
    let Some(smaller) = of_mode.clone().filter(|pool| pool.size() < chosen.size()).max_by_key(|pool| pool.size())
    else {
        return Some("It is the smallest that was tried: a smaller one may do as well.".to_owned());
    };
    let slower = smaller.p99 / chosen.p99;
    let less = smaller.throughput / chosen.throughput;
    let of_noise = |is_within: bool| if is_within { "within the noise" } else { "more than the noise" };
    Some(format!(
        "With {} instead, p99 is {} ({}, {}) and throughput {:+.1} % ({}).",
        smaller.size(),
        short(smaller.p99 as u64),
        times(slower),
        of_noise(smaller.is_fast_enough(chosen.p99, margins)),
        100.0 * (less - 1.0),
        of_noise(smaller.does_enough(chosen.throughput, margins)),
    ))
}

fn beside_direct(chosen: &Judged<'_>, direct: &Judged<'_>) -> String {
    format!(
        "Beside direct connections: p99 {} ({} direct), throughput {:+.1} %.",
        times(chosen.p99 / direct.p99),
        short(direct.p99 as u64),
        100.0 * (chosen.throughput / direct.throughput - 1.0),
    )
}

fn how_sure(chosen: &Judged<'_>, pools: &[&Judged<'_>], margins: &Margins) -> String {
    let mut text = match margins.p99.is_judged() {
        true => format!(
            "Noise: from one round to the next a setting's own p99 and throughput vary so much that, over {} rounds, two settings \
             must differ by {:.0} % in p99 or {:.0} % in throughput to be told apart (95 %).",
            margins.rounds,
            100.0 * margins.p99(),
            100.0 * margins.throughput(),
        ),
        false => format!(
            "Noise: one round cannot show it; {:.0} % were taken for it. Repeat it (--repeats 3) to know.",
            100.0 * margins.p99()
        ),
    };
    if margins.excuse(chosen, pools) {
        text += " That is too much to go by: measure longer (--seconds) and more often (--repeats).";
    }
    let larger = pools.iter().filter(|pool| is_same_mode(pool, chosen) && pool.size() > chosen.size());
    if larger.count() == 0 {
        text += " It is the largest that was tried: a larger one may be better.";
    }
    text
}

fn is_same_mode(a: &Judged<'_>, b: &Judged<'_>) -> bool {
    match (a.of.setting, b.of.setting) {
        (Setting::Pool { mode: a, .. }, Setting::Pool { mode: b, .. }) => a == b,
        (a, b) => a == b,
    }
}

fn times(ratio: f64) -> String {
    format!("x {ratio:.2}")
}

#[cfg(test)]
mod tests {
    use super::super::options::BenchMode;
    use super::*;

    const MS: f64 = 1e6;

    fn pool(size: usize, p99_ms: f64, throughput: f64) -> Candidate {
        of(Setting::Pool { mode: BenchMode::Transaction, size }, p99_ms, throughput)
    }

    /// Three rounds with a noise of 2 %.
    fn of(setting: Setting, p99_ms: f64, throughput: f64) -> Candidate {
        let around = |figure: f64| vec![figure * 0.98, figure, figure * 1.02];
        Candidate { setting, p99: around(p99_ms * MS), throughput: around(throughput), flaw: None }
    }

    fn chosen(candidates: &[Candidate]) -> Option<String> {
        recommend(candidates).choice.map(Setting::name)
    }

    fn name(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn the_smallest_that_is_as_good_as_the_best() {
        let direct = of(Setting::Direct, 2.0, 5_000.0);
        let all =
            [direct, pool(5, 40.0, 3_000.0), pool(10, 5.1, 4_980.0), pool(25, 5.0, 5_000.0), pool(50, 5.05, 4_990.0)];
        let advice = recommend(&all);
        assert_eq!(advice.choice.map(Setting::name), name("transaction 10"));
        let text = format!("{} {}", advice.verdict, advice.reasons.join(" "));
        for said in [
            "size = 10",
            "With 5 instead, p99 is 40.0ms",
            "more than the noise",
            "over 3 rounds",
            "x 2.55 (2.00ms direct)",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    #[test]
    fn a_difference_within_the_noise_is_none() {
        let mut noisy = [pool(5, 7.0, 5_000.0), pool(10, 5.0, 5_000.0)];
        assert_eq!(chosen(&noisy), name("transaction 10"));
        noisy[0].p99 = vec![4.0 * MS, 7.0 * MS, 12.0 * MS];
        noisy[1].p99 = vec![3.0 * MS, 5.0 * MS, 8.0 * MS];
        assert_eq!(chosen(&noisy), name("transaction 5"));
        assert!(recommend(&noisy).reasons.join(" ").contains("too much to go by"));
        assert!(recommend(&noisy).verdict.starts_with("The noise is too great for a choice."));
    }

    #[test]
    fn the_best_itself_may_be_taken_whatever_the_noise() {
        let wild =
            |size, ms: f64| Candidate { p99: vec![ms * 0.6 * MS, ms * MS, ms * 1.7 * MS], ..pool(size, ms, 5_000.0) };
        let advice = recommend(&[wild(5, 90.0), wild(10, 5.0), wild(25, 5.2)]);
        assert!(advice.verdict.starts_with("Take 10 connections"), "{advice:?}");
        assert!(!advice.reasons.join(" ").contains("too much to go by"));
    }

    #[test]
    fn who_does_less_is_not_chosen_for_being_quick() {
        assert_eq!(chosen(&[pool(5, 1.0, 1_000.0), pool(25, 9.0, 5_000.0)]), name("transaction 25"));
    }

    #[test]
    fn errors_disqualify() {
        let mut all = [pool(5, 1.0, 5_000.0), pool(25, 5.0, 5_000.0)];
        all[0].flaw = Some("12 errors".to_owned());
        let advice = recommend(&all);
        assert_eq!(advice.choice.map(Setting::name), name("transaction 25"));
        assert!(advice.reasons.iter().any(|reason| reason.contains("transaction 5: 12 errors")), "{advice:?}");
        all[1].flaw = Some("12 errors".to_owned());
        assert_eq!(recommend(&all).choice, None);
        assert_eq!(recommend(&[]).choice, None);
        assert_eq!(chosen(&[of(Setting::Direct, 1.0, 5_000.0)]), None);
    }

    #[test]
    fn the_ends_of_the_sweep_are_named() {
        let text = |all: &[Candidate]| recommend(all).reasons.join(" ");
        assert!(text(&[pool(5, 9.0, 1_000.0), pool(10, 5.0, 5_000.0)]).contains("a larger one may be better"));
        let smallest = text(&[pool(5, 5.0, 5_000.0), pool(10, 5.0, 5_000.0)]);
        assert!(smallest.contains("a smaller one may do") && !smallest.contains("a larger one"), "{smallest}");
    }

    #[test]
    fn one_round_is_no_judgement() {
        let once = |size, p99: f64| Candidate { p99: vec![p99 * MS], throughput: vec![5e3], ..pool(size, p99, 5e3) };
        let advice = recommend(&[once(5, 5.4), once(10, 5.0)]);
        assert_eq!(advice.choice.map(Setting::name), name("transaction 5"));
        assert!(advice.reasons.join(" ").contains("one round cannot show it"), "{advice:?}");
        assert_eq!(chosen(&[once(5, 5.6), once(10, 5.0)]), name("transaction 10"));
    }

    #[test]
    fn of_two_modes_with_one_size_the_faster_one() {
        let session = of(Setting::Pool { mode: BenchMode::Session, size: 10 }, 4.95, 5_000.0);
        assert_eq!(chosen(&[pool(10, 5.0, 5_000.0), session]), name("session 10"));
    }
}
