//! How far two settings' figures must lie apart to mean anything: judged from what differs between one setting's rounds. Pure.

/// Student's t for a chance of 5 % on both sides, by degrees of freedom from 1.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const T_OF_MANY: f64 = 1.960;
/// Differences below this share mean nothing to anybody, however sure they are.
const LEAST: f64 = 0.03;
/// What is taken where nothing can be judged: one round alone.
const UNJUDGED: f64 = 0.10;

/// One figure's noise, as a share of the figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// The standard deviation of the figure's logarithm between rounds of one setting, over all settings; `None`: no setting
    /// was measured twice.
    deviation: Option<f64>,
    degrees: usize,
}

impl Noise {
    /// From each setting's figures, round by round. The noise is taken to be the same share of the figure everywhere.
    pub fn of<'a>(cells: impl Iterator<Item = &'a [f64]>) -> Noise {
        let (mut squares, mut degrees) = (0.0, 0);
        for rounds in cells {
            let logs: Vec<f64> = rounds.iter().filter(|figure| **figure > 0.0).map(|figure| figure.ln()).collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            squares += logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>();
            degrees += logs.len().saturating_sub(1);
        }
        Noise { deviation: (degrees > 0).then(|| (squares / degrees as f64).sqrt()), degrees }
    }

    /// Whether it rests on more than a guess.
    pub fn is_judged(self) -> bool {
        self.deviation.is_some()
    }

    /// The share by which the means of two settings, measured so many times each, may differ by chance (in 95 of 100 cases).
    pub fn margin(self, rounds: usize) -> f64 {
        let Some(deviation) = self.deviation else { return UNJUDGED };
        let t = T.get(self.degrees - 1).copied().unwrap_or(T_OF_MANY);
        let margin = (t * deviation * (2.0 / rounds.max(1) as f64).sqrt()).exp() - 1.0;
        margin.max(LEAST)
    }
}

/// The mean as ratios have it; 0 where there is no figure, or one that is 0.
pub(super) fn mean(rounds: &[f64]) -> f64 {
    if rounds.is_empty() || rounds.iter().any(|figure| *figure <= 0.0) {
        return 0.0;
    }
    (rounds.iter().map(|figure| figure.ln()).sum::<f64>() / rounds.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[&[f64]]) -> Noise {
        Noise::of(cells.iter().copied())
    }

    #[test]
    fn it_is_what_differs_within_settings_not_between_them() {
        let calm = of(&[&[10.0, 10.1, 9.9], &[50.0, 50.5, 49.5]]);
        let wild = of(&[&[10.0, 12.0, 8.0], &[10.0, 12.0, 8.0]]);
        assert!(calm.margin(3) < 0.035, "{}", calm.margin(3));
        assert!(wild.margin(3) > 0.3, "{}", wild.margin(3));
    }

    #[test]
    fn a_known_case() {
        // One setting, two rounds that differ by a factor of e: the deviation is 1 / sqrt(2), t is 12.706.
        let margin = of(&[&[1.0, std::f64::consts::E]]).margin(2);
        assert!(((margin + 1.0).ln() - 12.706 / 2.0_f64.sqrt()).abs() < 1e-3, "{margin}");
    }

    #[test]
    fn more_rounds_make_it_smaller_but_never_nothing() {
        let noise = of(&[&[10.0, 11.0, 9.0, 10.5], &[10.0, 11.0, 9.0, 10.5]]);
        assert!(noise.margin(16) < noise.margin(4));
        assert_eq!(of(&[&[5.0, 5.0, 5.0]]).margin(3), LEAST);
    }

    #[test]
    fn one_round_cannot_be_judged() {
        let noise = of(&[&[10.0], &[20.0]]);
        assert!(!noise.is_judged());
        assert_eq!(noise.margin(1), UNJUDGED);
        assert!(!of(&[&[0.0, 0.0]]).is_judged());
    }

    #[test]
    fn means_are_those_of_ratios() {
        assert!((mean(&[1.0, 4.0]) - 2.0).abs() < 1e-9);
        assert_eq!((mean(&[]), mean(&[0.0, 5.0])), (0.0, 0.0));
    }
}
