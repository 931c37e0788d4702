//! What a person wants and pays, as it is asked of the statistics: the report answers with it.
//!
//! A field that is being typed is often no number yet. The report stays readable then: it is made with what is usual in
//! the place of what cannot be, and the field's own card says what is wrong.

use candor::protocol;

use super::decision::Wish;

/// What the report is asked to look for; nothing where all of it is what is usual.
pub fn wanted(wish: &Wish) -> Option<protocol::Wish> {
    let usual = Wish::default();
    let share = |value: f64, usual: f64| if value > 0.0 && value < 1.0 { value } else { usual };
    let costs = if wish.costs.check().is_ok() { wish.costs } else { usual.costs };
    let currency = wish.currency.trim().to_owned();
    let same_prices = (costs.review_cost, costs.error_cost) == (usual.costs.review_cost, usual.costs.error_cost);
    let wanted = Wish {
        accuracy: share(wish.accuracy, usual.accuracy),
        assurance: share(wish.assurance, usual.assurance),
        costs,
        currency,
    };
    if wanted == usual {
        return None;
    }
    let Wish { accuracy, assurance, costs, currency } = wanted;
    let example_costs = same_prices && currency.is_empty();
    Some(protocol::Wish { accuracy, assurance, costs, example_costs, currency })
}

#[cfg(test)]
mod tests {
    use candor::stats::costs::Costs;

    use super::*;

    #[test]
    fn what_is_wished_is_asked_and_what_cannot_be_is_not() {
        let usual = Wish::default();
        let costs = |costs: Costs| Wish { costs, ..Wish::default() };
        for (wish, asked) in [
            (usual.clone(), None),
            (Wish { currency: "  ".to_owned(), ..usual.clone() }, None),
            (Wish { accuracy: 0.0, ..usual.clone() }, None),
            (Wish { accuracy: f64::NAN, assurance: 1.0, ..usual.clone() }, None),
            (costs(Costs { volume: 0.0, ..usual.costs }), None),
            (Wish { accuracy: 0.8, ..usual.clone() }, Some((0.8, 10.0, 1000.0, true))),
            (costs(Costs { volume: 50.0, ..usual.costs }), Some((0.95, 10.0, 50.0, true))),
            (costs(Costs { error_cost: 40.0, ..usual.costs }), Some((0.95, 40.0, 1000.0, false))),
            (Wish { currency: "EUR ".to_owned(), ..usual.clone() }, Some((0.95, 10.0, 1000.0, false))),
        ] {
            let found = wanted(&wish);
            let numbers = found
                .as_ref()
                .map(|found| (found.accuracy, found.costs.error_cost, found.costs.volume, found.example_costs));
            assert_eq!(numbers, asked, "{wish:?}");
            assert!(found.is_none_or(|found| found.currency == wish.currency.trim()), "{wish:?}");
        }
    }
}
