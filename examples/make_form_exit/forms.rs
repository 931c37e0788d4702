//! Forms to be filled in: their fields in page order, and what can be wrong with each.

use rand::Rng;
use rand::seq::IndexedRandom;

/// A field: its name, how many keystrokes it takes, why it may be refused.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Keystrokes at least and at most.
    pub keys: (u32, u32),
    /// Reasons for which its value may be refused.
    pub reasons: &'static [&'static str],
}

const fn field(name: &'static str, keys: (u32, u32), reasons: &'static [&'static str]) -> Field {
    Field { name, keys, reasons }
}

const TEXT: &[&str] = &["required", "too_short", "too_long", "invalid_characters"];
const MAIL: &[&str] = &["invalid_format", "taken", "disposable_email", "required", "invalid_domain"];
const PASSWORD: &[&str] =
    &["too_short", "weak_password", "missing_special", "missing_uppercase", "missing_number", "mismatch", "reused"];
const PHONE: &[&str] = &["invalid_format", "required", "too_short", "invalid_country_code"];
const DATE: &[&str] = &["invalid_date", "out_of_range", "invalid_format", "in_the_past"];
const CARD: &[&str] = &["invalid_luhn", "too_short", "invalid_format", "declined", "unsupported_card"];
const NUMBER: &[&str] = &["out_of_range", "not_a_number", "required", "too_low", "too_high"];
const CODE: &[&str] = &["invalid_code", "expired", "already_used", "invalid_format"];
const FILE: &[&str] = &["file_too_large", "unsupported_type", "required"];

/// The forms.
pub const FORMS: &[&[Field]] = &[
    &[
        field("username", (4, 16), &["taken", "too_short", "invalid_characters"]),
        field("email", (11, 30), MAIL),
        field("password", (6, 18), PASSWORD),
        field("confirm_password", (6, 18), &["mismatch", "required"]),
        field("display_name", (4, 18), TEXT),
        field("birth_date", (8, 10), DATE),
        field("referral_code", (5, 10), CODE),
    ],
    &[
        field("full_name", (7, 24), TEXT),
        field("email", (11, 30), MAIL),
        field("address", (10, 40), &["required", "not_found", "too_short"]),
        field("city", (4, 15), TEXT),
        field("postal_code", (4, 9), &["invalid_format", "required", "not_deliverable"]),
        field("card_number", (13, 19), CARD),
        field("card_expiry", (4, 5), &["expired", "invalid_date", "invalid_format"]),
        field("cvv", (3, 4), &["too_short", "invalid_format", "mismatch"]),
        field("promo_code", (4, 12), CODE),
    ],
    &[
        field("first_name", (3, 12), TEXT),
        field("last_name", (4, 14), TEXT),
        field("email", (11, 30), MAIL),
        field("phone", (9, 15), PHONE),
        field("resume", (1, 1), FILE),
        field("cover_letter", (60, 700), &["too_short", "too_long", "required"]),
        field("linkedin_url", (18, 50), &["invalid_format", "invalid_url"]),
        field("salary_expectation", (4, 7), NUMBER),
        field("start_date", (8, 10), DATE),
        field("years_experience", (1, 2), NUMBER),
    ],
    &[
        field("vehicle_make", (3, 12), TEXT),
        field("vehicle_year", (4, 4), NUMBER),
        field("vin", (17, 17), &["invalid_format", "too_short", "not_found"]),
        field("license_number", (7, 14), &["invalid_format", "expired", "required"]),
        field("date_of_birth", (8, 10), DATE),
        field("annual_mileage", (4, 6), NUMBER),
        field("coverage_amount", (4, 7), NUMBER),
        field("previous_insurer", (4, 20), TEXT),
    ],
    &[
        field("loan_amount", (4, 7), NUMBER),
        field("annual_income", (5, 7), NUMBER),
        field("employer", (4, 25), TEXT),
        field("ssn", (9, 11), &["invalid_format", "required", "too_short"]),
        field("bank_account", (8, 14), &["invalid_format", "not_found", "required"]),
        field("routing_number", (9, 9), &["invalid_format", "too_short", "not_found"]),
        field("monthly_rent", (3, 5), NUMBER),
        field("loan_purpose", (6, 40), TEXT),
    ],
    &[
        field("destination", (4, 18), &["required", "not_found"]),
        field("check_in", (8, 10), DATE),
        field("check_out", (8, 10), DATE),
        field("guests", (1, 2), NUMBER),
        field("room_type", (4, 10), &["unavailable", "required"]),
        field("special_requests", (10, 160), &["too_long"]),
        field("passport_number", (8, 9), &["invalid_format", "expired"]),
        field("phone", (9, 15), PHONE),
    ],
    &[
        field("name", (4, 22), TEXT),
        field("email", (11, 30), MAIL),
        field("company", (4, 24), TEXT),
        field("role", (4, 18), TEXT),
        field("subject", (6, 40), TEXT),
        field("message", (20, 400), &["too_short", "required", "too_long"]),
        field("budget", (3, 7), NUMBER),
        field("website", (10, 30), &["invalid_url", "invalid_format"]),
    ],
    &[
        field("patient_name", (6, 22), TEXT),
        field("date_of_birth", (8, 10), DATE),
        field("insurance_id", (8, 14), &["invalid_format", "not_found", "expired"]),
        field("symptoms", (15, 250), &["too_short", "required"]),
        field("medications", (5, 90), TEXT),
        field("allergies", (4, 50), TEXT),
        field("emergency_contact", (8, 26), PHONE),
        field("primary_physician", (6, 24), TEXT),
    ],
    &[
        field("satisfaction", (1, 2), NUMBER),
        field("recommend_score", (1, 2), NUMBER),
        field("favorite_feature", (5, 60), TEXT),
        field("improvements", (10, 200), &["too_short", "too_long"]),
        field("age_range", (2, 5), &["required"]),
        field("occupation", (4, 20), TEXT),
        field("comments", (10, 300), &["too_long"]),
    ],
    &[
        field("display_name", (3, 18), &["taken", "too_short"]),
        field("bio", (15, 160), &["too_long", "invalid_characters"]),
        field("current_password", (6, 16), &["incorrect", "required"]),
        field("new_password", (6, 18), PASSWORD),
        field("phone_number", (9, 15), PHONE),
        field("timezone", (3, 12), TEXT),
        field("notification_email", (11, 30), MAIL),
        field("avatar", (1, 1), FILE),
    ],
    &[
        field("company_name", (4, 26), TEXT),
        field("company_size", (1, 5), NUMBER),
        field("annual_revenue", (4, 9), NUMBER),
        field("employee_count", (1, 5), NUMBER),
        field("tax_id", (9, 12), &["invalid_format", "not_found"]),
        field("industry", (4, 16), TEXT),
        field("work_email", (11, 32), MAIL),
        field("job_title", (4, 22), TEXT),
        field("phone", (9, 15), PHONE),
        field("use_case", (10, 120), TEXT),
    ],
    &[
        field("student_name", (6, 22), TEXT),
        field("gpa", (3, 4), NUMBER),
        field("test_score", (2, 4), NUMBER),
        field("essay", (80, 900), &["too_short", "too_long"]),
        field("graduation_date", (7, 10), DATE),
        field("guardian_email", (11, 30), MAIL),
        field("major", (4, 22), TEXT),
    ],
];

/// What a visitor who compares looks at.
pub const OFFERS: &[&str] = &[
    "price",
    "pricing_table",
    "plan_basic",
    "plan_pro",
    "plan_enterprise",
    "plan_comparison",
    "feature_list",
    "features",
    "feature_matrix",
    "shipping_cost",
    "shipping_options",
    "delivery_time",
    "return_policy",
    "refund_policy",
    "cancellation_policy",
    "warranty_info",
    "competitor_comparison",
    "customer_reviews",
    "discount",
    "monthly_price",
    "annual_price",
    "interest_rate",
    "coverage_options",
    "room_rates",
    "terms",
    "size_guide",
    "specifications",
    "bundle_options",
    "subscription_tier",
    "total_cost",
    "deductible",
    "fees",
];

/// One of the forms.
pub fn any_form(random: &mut impl Rng) -> &'static [Field] {
    FORMS.choose(random).copied().unwrap_or(FORMS[0])
}
