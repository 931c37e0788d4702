use proptest::prelude::*;

use super::*;

/// Per label, per form, the token ids.
type Forms<'a> = &'a [&'a [&'a [u32]]];

fn labels(forms: Forms<'_>) -> Vec<LabelTokens> {
    (forms.iter().enumerate())
        .map(|(index, forms)| LabelTokens {
            name: format!("L{index}"),
            forms: forms.iter().map(|ids| (format!("{ids:?}"), ids.to_vec())).collect(),
        })
        .collect()
}

fn build(forms: Forms<'_>) -> LabelTrie {
    LabelTrie::build(&labels(forms)).unwrap()
}

/// `label: tokens − exceptions` for each claim, in the trie's order.
fn shown(trie: &LabelTrie) -> Vec<String> {
    (trie.claims().iter())
        .map(|claim| {
            let except: String = claim.except.iter().map(|&i| format!(" − {:?}", trie.claims()[i].ids)).collect();
            format!("{}: {:?}{except}", claim.label, claim.ids)
        })
        .collect()
}

#[test]
fn tokens_are_read_exactly_as_deep_as_needed() {
    let cases: [(Forms<'_>, &[&str]); 10] = [
        // One token each, even where the forms are longer.
        (&[&[&[1]], &[&[2]]], &["0: [1]", "1: [2]"]),
        (&[&[&[1, 5, 6]], &[&[2, 5]]], &["0: [1]", "1: [2]"]),
        // A label's forms that share a first token count once.
        (&[&[&[1], &[1, 2], &[1, 3], &[4]], &[&[2]]], &["0: [1]", "1: [2]", "0: [4]"]),
        // Two labels share a first token.
        (&[&[&[1, 2]], &[&[1, 3]]], &["0: [1, 2]", "1: [1, 3]"]),
        (&[&[&[1, 2, 9]], &[&[1, 3, 9]], &[&[4, 9]]], &["0: [1, 2]", "1: [1, 3]", "2: [4]"]),
        (&[&[&[1, 2, 3]], &[&[1, 2, 4]]], &["0: [1, 2, 3]", "1: [1, 2, 4]"]),
        // One label's form is the beginning of another's.
        (&[&[&[1]], &[&[1, 2]]], &["0: [1] − [1, 2]", "1: [1, 2]"]),
        (&[&[&[1]], &[&[1, 2, 3]]], &["0: [1] − [1, 2]", "1: [1, 2]"]),
        // A in B in A: the inner one belongs to the nearest form around it.
        (&[&[&[1], &[1, 2, 4]], &[&[1, 2]]], &["0: [1] − [1, 2]", "1: [1, 2] − [1, 2, 4]", "0: [1, 2, 4]"]),
        // Both go on below A's end, but A's own continuation is in its claim already.
        (&[&[&[1], &[1, 2, 4]], &[&[1, 2, 3]]], &["0: [1] − [1, 2, 3]", "1: [1, 2, 3]"]),
    ];
    for (forms, expected) in cases {
        assert_eq!(shown(&build(forms)), expected, "{forms:?}");
    }
}

#[test]
fn contexts_are_all_prefixes_the_empty_one_first() {
    let trie = build(&[&[&[1, 2, 3], &[7]], &[&[1, 2, 4], &[8]]]);
    let contexts: Vec<_> = trie.contexts().iter().map(|c| (c.path.clone(), c.tokens.clone())).collect();
    assert_eq!(contexts, [(vec![], vec![1, 7, 8]), (vec![1], vec![2]), (vec![1, 2], vec![3, 4])]);
    assert_eq!(build(&[&[&[1, 2]], &[&[3, 4]]]).contexts().len(), 1);
    assert_eq!(trie.label_of_first_token(7), Some(0));
    assert_eq!(trie.label_of_first_token(1), None);
    assert_eq!(trie.label_of_first_token(5), None);
}

#[test]
fn forms_know_how_many_tokens_count() {
    let trie = build(&[&[&[1], &[1, 2], &[5]], &[&[6, 7], &[6, 8]], &[&[1, 3]]]);
    let counted: Vec<_> = trie.forms().iter().map(|form| form.counted).collect();
    assert_eq!(counted, [1, 0, 1, 1, 0, 2]);
}

#[test]
fn collisions_are_told_in_plain_words() {
    assert!(build(&[&[&[1], &[1, 2]], &[&[2]]]).collisions().is_empty());
    let collisions = build(&[&[&[1]], &[&[1, 2]]]).collisions().to_vec();
    assert_eq!(collisions.len(), 1);
    assert!(collisions[0].starts_with("\"[1]\" (L0) and \"[1, 2]\" (L1) begin with the same token"));
    assert!(collisions[0].ends_with("\"[1]\" counts for \"L0\" except where the answer goes on as \"L1\""));
}

#[test]
fn what_cannot_be_told_apart_is_an_error() {
    let error = LabelTrie::build(&labels(&[&[&[1, 2]], &[&[3], &[1, 2]]])).unwrap_err();
    assert!(error.message.contains("same tokens") && error.help.is_some(), "{error}");
    assert!(LabelTrie::build(&labels(&[&[&[1]], &[&[]]])).unwrap_err().message.contains("no tokens"));
}

#[test]
fn a_remainder_lost_to_rounding_stays_finite() {
    let trie = build(&[&[&[1]], &[&[1, 2]]]);
    for continued in [0.0, -1e-17, 1e-9] {
        let masses = trie.score(|context, _| if context == 0 { -1.0 } else { continued });
        assert!(masses[0].logprob.is_finite() && masses[0].logprob < -19.0, "{masses:?}");
    }
}

/// A language model over four tokens, three tokens deep, given by pseudo-random weights.
fn toy(path: &[u32], token: u32, seed: u64) -> f64 {
    let weight = |token: u32| {
        let mut h = seed;
        for &id in path.iter().chain([&token]) {
            h = (h ^ u64::from(id + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            h ^= h >> 29;
        }
        1.0 + (h % 997) as f64
    };
    weight(token) / (0..4).map(weight).sum::<f64>()
}

/// Which label a whole answer of three tokens belongs to, by the rule's words alone: of all forms that the answer
/// begins with or that begin like it, the one that is longest decides; answers that leave the trie before labels
/// are told apart belong to none.
fn owner(answer: &[u32], forms: &[(usize, Vec<u32>)]) -> Option<usize> {
    let mut owner = None;
    for depth in 1..=answer.len() {
        let path = &answer[..depth];
        let through: BTreeSet<usize> =
            forms.iter().filter(|(_, ids)| ids.starts_with(path)).map(|(label, _)| *label).collect();
        match through.len() {
            0 => return owner,
            1 => return through.first().copied(),
            _ => owner = forms.iter().find(|(_, ids)| ids == path).map(|(label, _)| *label).or(owner),
        }
    }
    owner
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn masses_equal_those_of_enumeration(
        forms in prop::collection::vec((0usize..3, prop::collection::vec(0u32..4, 1..4)), 1..8),
        seed in any::<u64>(),
    ) {
        let mut labels: Vec<_> = (0..3).map(|i| LabelTokens { name: format!("L{i}"), forms: Vec::new() }).collect();
        for (label, ids) in &forms {
            labels[*label].forms.push((format!("{ids:?}"), ids.clone()));
        }
        let clash = forms.iter().any(|(a, x)| forms.iter().any(|(b, y)| a != b && x == y));
        let built = LabelTrie::build(&labels);
        prop_assert_eq!(built.is_err(), clash);
        let Ok(trie) = built else { return Ok(()) };

        let mut expected = [0.0; 3];
        let mut nobody = 0.0;
        for code in 0..64_u32 {
            let answer = [code / 16, code / 4 % 4, code % 4];
            let p: f64 = (0..3).map(|d| toy(&answer[..d], answer[d], seed)).product();
            match owner(&answer, &forms) {
                Some(label) => expected[label] += p,
                None => nobody += p,
            }
        }
        let asked = |context: usize, token: u32| {
            let context = &trie.contexts()[context];
            assert!(context.tokens.contains(&token));
            toy(&context.path, token, seed).ln()
        };
        let masses = trie.score(asked);
        for (mass, expected) in masses.iter().zip(expected) {
            prop_assert!((mass.logprob.exp() - expected).abs() < 1e-12, "{:?} {:?}", mass, expected);
        }
        prop_assert!((other_mass(&masses) - nobody).abs() < 1e-12);
    }
}
