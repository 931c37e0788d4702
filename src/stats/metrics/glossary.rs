//! What each metric says, in plain words, with its formula and source: for tables, the page's glossary and reports.

use serde::Serialize;

/// Which values of a metric are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// Near 0 is better.
    NearZero,
    /// It describes the data or the scores; no value is better.
    Neither,
}

/// A metric in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The name in JSON.
    pub name: &'static str,
    /// The term.
    pub title: &'static str,
    /// What it says, in plain words.
    pub plain: &'static str,
    /// How it is computed. p: confidence, y: 1 if right, n: rows.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Which values are good.
    pub better: Better,
}

/// The entry of a metric.
pub fn describe(name: &str) -> Option<&'static Entry> {
    GLOSSARY.iter().find(|entry| entry.name == name)
}

use Better::{Higher, Lower, NearZero, Neither};

const fn entry(
    name: &'static str,
    better: Better,
    title: &'static str,
    plain: &'static str,
    formula: &'static str,
    source: &'static str,
) -> Entry {
    Entry { name, title, plain, formula, source, better }
}

/// Every metric of a report, in its order.
#[rustfmt::skip]
pub const GLOSSARY: [Entry; 30] = [
    entry("accuracy", Higher, "Accuracy", "how many predictions are right", "mean of y", ""),
    entry("mean_confidence", Neither, "Mean confidence", "how sure the model says it is, on average", "mean of p", ""),
    entry("brier", Lower, "Brier score", "squared distance of the confidence from what happened: calibration and ranking in one number", "mean of (p − y)²", "Brier 1950"),
    entry("log_loss", Lower, "Log loss", "how surprised the model is by what happened; punishes being sure and wrong hardest", "−mean of ln p where right, ln(1 − p) where wrong", "Good 1952"),
    entry("ece", Lower, "Expected calibration error (ECE)", "how far off the confidence is, on average", "Σ over bins of (rows / n) · |mean p − mean y|", "Naeini, Cooper & Hauskrecht 2015"),
    entry("ece_debiased", Lower, "Debiased ECE", "the same, less what chance alone adds", "2 · ECE − E[ECE with each bin's noise added]", "Kumar, Liang & Ma 2019"),
    entry("ece_equal_mass", Lower, "ECE, equally filled bins", "the same, over bins with equally many rows", "as ECE, bins cut at the quantiles of p", "Nixon et al. 2019"),
    entry("mce", Lower, "Maximum calibration error (MCE)", "how far off the confidence is in its worst bin", "max over bins of |mean p − mean y|", "Naeini, Cooper & Hauskrecht 2015"),
    entry("rms_calibration_error", Lower, "RMS calibration error", "how far off the confidence is, large gaps counting more", "√ Σ over bins of (rows / n) · (mean p − mean y)²", "Kumar, Liang & Ma 2019"),
    entry("debiased_l2_squared", NearZero, "Debiased squared calibration error", "the squared gap, less what chance alone adds; may be negative", "Σ over bins of (rows / n) · (gap² − ȳ (1 − ȳ) / (rows − 1))", "Kumar, Liang & Ma 2019"),
    entry("smece", Lower, "Smooth calibration error (smECE)", "how far off the confidence is, without any bins", "mean |smoothed p − y| at the bandwidth equal to it", "Błasiok & Nakkiran 2023"),
    entry("corp_mcb", Lower, "Miscalibration (CORP)", "what recalibration could gain on the Brier score", "Brier − Brier of the isotonic fit", "Dimitriadis, Gneiting & Jordan 2021"),
    entry("corp_dsc", Higher, "Discrimination (CORP)", "how much better than the base rate the scores can tell right from wrong", "uncertainty − Brier of the isotonic fit", "Dimitriadis, Gneiting & Jordan 2021"),
    entry("corp_unc", Neither, "Uncertainty (CORP)", "how hard the data is: the Brier score of always saying the base rate", "ȳ (1 − ȳ)", "Dimitriadis, Gneiting & Jordan 2021"),
    entry("roc_auc", Higher, "ROC AUC", "the chance that a right prediction has a higher confidence than a wrong one", "share of (right, wrong) pairs in order, ties counting half", "Hanley & McNeil 1982"),
    entry("aurc", Lower, "Area under the risk–coverage curve", "the error rate when only the surest are kept, averaged over how many are kept", "mean over k of the error rate of the k surest", "Geifman & El-Yaniv 2018"),
    entry("spiegelhalter_z", NearZero, "Spiegelhalter's z", "how many standard errors the Brier score is from a calibrated model's; beyond ±2 speaks against calibration", "Σ (y − p)(1 − 2p) / √ Σ (1 − 2p)² p (1 − p)", "Spiegelhalter 1986"),
    entry("macro_f1", Higher, "Macro F1", "precision and recall in one, every class counting the same", "mean over classes of 2 TP / (predicted + true)", "van Rijsbergen 1979"),
    entry("weighted_f1", Higher, "Weighted F1", "precision and recall in one, classes counting by their rows", "mean over classes of F1, weighted by true rows", "van Rijsbergen 1979"),
    entry("balanced_accuracy", Higher, "Balanced accuracy", "how many of a class are found, every class counting the same", "mean recall of the classes", "Brodersen et al. 2010"),
    entry("balance_gap", Lower, "Balance gap", "how lopsided the errors are between the two classes", "|recall − specificity|", ""),
    entry("mcc", Higher, "Matthews correlation", "how well predictions and truth go together; 0 is chance", "correlation of the class indicators", "Matthews 1975; Gorodkin 2004"),
    entry("kappa", Higher, "Cohen's κ", "agreement beyond chance", "(agreement − chance) / (1 − chance)", "Cohen 1960"),
    entry("brier_multiclass", Lower, "Brier score, all classes", "squared distance of all probabilities from what happened, 0 to 2", "mean over rows of Σ over classes of (p − y)²", "Brier 1950"),
    entry("log_loss_multiclass", Lower, "Log loss, all classes", "how surprised the model is by the true class", "−mean of ln p(true class)", "Good 1952"),
    entry("classwise_ece", Lower, "Classwise ECE", "how far off the probabilities are, over all classes", "mean over classes of the ECE of the class's probability", "Kull et al. 2019"),
    entry("mse", Lower, "Mean squared error", "squared distance on the scale", "mean of (truth − prediction)²", ""),
    entry("mae", Lower, "Mean absolute error", "distance on the scale", "mean of |truth − prediction|", ""),
    entry("spearman", Higher, "Spearman's ρ", "how well the order is right", "correlation of the ranks", "Spearman 1904"),
    entry("quadratic_kappa", Higher, "Quadratic-weighted κ", "agreement beyond chance, near misses counting partly", "1 − MSE / MSE of independent labels", "Cohen 1968"),
];

#[cfg(test)]
mod tests {
    use super::super::evaluation::names;
    use super::*;

    #[test]
    fn every_metric_is_described_in_the_order_of_the_report() {
        let described: Vec<&str> = GLOSSARY.iter().map(|entry| entry.name).collect();
        assert_eq!(described, names().collect::<Vec<_>>());
        assert_eq!(describe("ece").map(|entry| entry.better), Some(Lower));
        assert_eq!(describe("nothing"), None);
    }
}
