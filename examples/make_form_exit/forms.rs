//! Forms to be filled in: their fields in page order, how much is typed into each, and why it may be refused; and what a
//! visitor who compares looks at.

use rand::Rng;
use rand::seq::IndexedRandom;

/// What a field takes.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Keystrokes at least and at most.
    pub keys: (u32, u32),
    /// Reasons for which a value may be refused.
    pub reasons: &'static [&'static str],
}

/// A field of a form.
#[derive(Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub kind: Kind,
}

const fn kind(least: u32, most: u32, reasons: &'static [&'static str]) -> Kind {
    Kind { keys: (least, most), reasons }
}

const WORD: Kind = kind(3, 14, &["required", "too_short", "invalid_characters", "not_found"]);
const NAME: Kind = kind(4, 24, &["required", "too_short", "too_long", "invalid_characters"]);
const LINE: Kind = kind(9, 42, &["required", "too_short", "not_found", "invalid_format"]);
const PROSE: Kind = kind(18, 420, &["too_short", "too_long", "required", "invalid_characters", "profanity"]);
const MAIL: Kind =
    kind(9, 32, &["invalid_format", "taken", "disposable_email", "required", "invalid_domain", "already_registered"]);
const USER: Kind = kind(4, 18, &["taken", "too_short", "too_long", "invalid_characters", "reserved"]);
const PASSWORD: Kind = kind(
    5,
    20,
    &[
        "too_short",
        "weak_password",
        "missing_special",
        "missing_uppercase",
        "missing_lowercase",
        "missing_number",
        "common_password",
        "reused",
        "contains_username",
    ],
);
const AGAIN: Kind = kind(5, 20, &["mismatch", "mismatch", "required"]);
const PHONE: Kind = kind(8, 15, &["invalid_format", "required", "too_short", "too_long", "invalid_country_code"]);
const DATE: Kind = kind(6, 10, &["invalid_date", "out_of_range", "invalid_format", "in_the_past", "too_young"]);
const CARD: Kind = kind(12, 19, &["invalid_luhn", "too_short", "invalid_format", "declined", "unsupported_card"]);
const EXPIRY: Kind = kind(4, 7, &["expired", "invalid_date", "invalid_format"]);
const DIGITS: Kind = kind(3, 4, &["too_short", "invalid_format", "mismatch", "incorrect"]);
const POSTCODE: Kind = kind(4, 9, &["invalid_format", "required", "not_deliverable", "too_short"]);
const COUNT: Kind = kind(1, 3, &["out_of_range", "not_a_number", "required", "too_low", "too_high"]);
const AMOUNT: Kind = kind(3, 8, &["out_of_range", "not_a_number", "too_low", "too_high", "exceeds_limit", "required"]);
const CODE: Kind = kind(4, 12, &["invalid_code", "expired", "already_used", "invalid_format", "not_applicable"]);
const NUMBER: Kind = kind(6, 18, &["invalid_format", "invalid_checksum", "not_found", "too_short", "expired"]);
const LINK: Kind = kind(10, 48, &["invalid_url", "invalid_format", "unreachable"]);
const UPLOAD: Kind = kind(1, 2, &["file_too_large", "unsupported_type", "required", "corrupted"]);
const CHOICE: Kind = kind(1, 10, &["required", "unavailable", "not_allowed"]);

/// The forms.
const FORMS: &[&[(&str, Kind)]] = &[
    &[
        ("username", USER),
        ("email", MAIL),
        ("password", PASSWORD),
        ("confirm_password", AGAIN),
        ("display_name", NAME),
        ("birth_date", DATE),
        ("referral_code", CODE),
    ],
    &[
        ("name", NAME),
        ("email", MAIL),
        ("password", PASSWORD),
        ("password_confirmation", AGAIN),
        ("phone", PHONE),
        ("country", CHOICE),
        ("invite_code", CODE),
    ],
    &[
        ("full_name", NAME),
        ("email", MAIL),
        ("address", LINE),
        ("city", WORD),
        ("postal_code", POSTCODE),
        ("card_number", CARD),
        ("card_expiry", EXPIRY),
        ("cvv", DIGITS),
        ("promo_code", CODE),
    ],
    &[
        ("shipping_name", NAME),
        ("shipping_address", LINE),
        ("address_line_2", LINE),
        ("state", CHOICE),
        ("zip_code", POSTCODE),
        ("billing_address", LINE),
        ("credit_card", CARD),
        ("expiration_date", EXPIRY),
        ("security_code", DIGITS),
        ("gift_message", PROSE),
    ],
    &[
        ("first_name", WORD),
        ("last_name", WORD),
        ("email", MAIL),
        ("phone", PHONE),
        ("resume", UPLOAD),
        ("cover_letter", PROSE),
        ("linkedin_url", LINK),
        ("salary_expectation", AMOUNT),
        ("start_date", DATE),
        ("years_experience", COUNT),
    ],
    &[
        ("applicant_name", NAME),
        ("current_title", NAME),
        ("current_employer", NAME),
        ("education", NAME),
        ("skills", PROSE),
        ("portfolio_url", LINK),
        ("work_authorization", CHOICE),
        ("notice_period", COUNT),
        ("reference_email", MAIL),
    ],
    &[
        ("vehicle_make", WORD),
        ("vehicle_model", WORD),
        ("vehicle_year", COUNT),
        ("vin", NUMBER),
        ("license_number", NUMBER),
        ("date_of_birth", DATE),
        ("annual_mileage", AMOUNT),
        ("coverage_amount", AMOUNT),
        ("previous_insurer", NAME),
    ],
    &[
        ("policy_number", NUMBER),
        ("incident_date", DATE),
        ("claim_description", PROSE),
        ("claim_amount", AMOUNT),
        ("police_report_number", NUMBER),
        ("photos", UPLOAD),
        ("witness_phone", PHONE),
    ],
    &[
        ("loan_amount", AMOUNT),
        ("annual_income", AMOUNT),
        ("employer", NAME),
        ("ssn", NUMBER),
        ("bank_account", NUMBER),
        ("routing_number", NUMBER),
        ("monthly_rent", AMOUNT),
        ("loan_purpose", LINE),
        ("co_signer", NAME),
    ],
    &[
        ("account_holder", NAME),
        ("iban", NUMBER),
        ("bic", NUMBER),
        ("transfer_amount", AMOUNT),
        ("reference", LINE),
        ("execution_date", DATE),
        ("tan", DIGITS),
    ],
    &[
        ("destination", WORD),
        ("check_in", DATE),
        ("check_out", DATE),
        ("guests", COUNT),
        ("room_type", CHOICE),
        ("special_requests", PROSE),
        ("passport_number", NUMBER),
        ("phone", PHONE),
    ],
    &[
        ("departure_city", WORD),
        ("arrival_city", WORD),
        ("departure_date", DATE),
        ("return_date", DATE),
        ("passengers", COUNT),
        ("seat_preference", CHOICE),
        ("frequent_flyer_number", NUMBER),
        ("meal_preference", CHOICE),
    ],
    &[
        ("party_size", COUNT),
        ("reservation_date", DATE),
        ("reservation_time", COUNT),
        ("contact_name", NAME),
        ("contact_phone", PHONE),
        ("dietary_notes", PROSE),
        ("occasion", WORD),
    ],
    &[
        ("name", NAME),
        ("email", MAIL),
        ("company", NAME),
        ("role", WORD),
        ("experience", COUNT),
        ("subject", LINE),
        ("message", PROSE),
        ("budget", AMOUNT),
        ("website", LINK),
    ],
    &[
        ("ticket_subject", LINE),
        ("category", CHOICE),
        ("order_number", NUMBER),
        ("issue_description", PROSE),
        ("attachment", UPLOAD),
        ("priority", CHOICE),
        ("callback_number", PHONE),
    ],
    &[
        ("patient_name", NAME),
        ("date_of_birth", DATE),
        ("insurance_id", NUMBER),
        ("symptoms", PROSE),
        ("medications", LINE),
        ("allergies", LINE),
        ("emergency_contact", PHONE),
        ("primary_physician", NAME),
        ("blood_type", CHOICE),
    ],
    &[
        ("appointment_date", DATE),
        ("preferred_time", COUNT),
        ("reason_for_visit", PROSE),
        ("member_id", NUMBER),
        ("gender", CHOICE),
        ("weight", COUNT),
        ("height", COUNT),
        ("last_visit", DATE),
    ],
    &[
        ("satisfaction", COUNT),
        ("recommend_score", COUNT),
        ("favorite_feature", LINE),
        ("improvements", PROSE),
        ("age_range", CHOICE),
        ("occupation", WORD),
        ("comments", PROSE),
    ],
    &[
        ("rating", COUNT),
        ("review_title", LINE),
        ("review_body", PROSE),
        ("pros", PROSE),
        ("cons", PROSE),
        ("nickname", USER),
        ("purchase_date", DATE),
    ],
    &[
        ("display_name", USER),
        ("bio", PROSE),
        ("current_password", PASSWORD),
        ("new_password", PASSWORD),
        ("confirm_new_password", AGAIN),
        ("phone_number", PHONE),
        ("timezone", CHOICE),
        ("notification_email", MAIL),
        ("avatar", UPLOAD),
        ("language", CHOICE),
    ],
    &[
        ("api_key_name", NAME),
        ("webhook_url", LINK),
        ("recovery_email", MAIL),
        ("two_factor_code", DIGITS),
        ("session_timeout", COUNT),
        ("backup_phone", PHONE),
    ],
    &[
        ("company_name", NAME),
        ("company_size", COUNT),
        ("annual_revenue", AMOUNT),
        ("employee_count", COUNT),
        ("tax_id", NUMBER),
        ("industry", WORD),
        ("work_email", MAIL),
        ("job_title", NAME),
        ("phone", PHONE),
        ("use_case", PROSE),
    ],
    &[
        ("student_name", NAME),
        ("gpa", COUNT),
        ("test_score", COUNT),
        ("essay", PROSE),
        ("graduation_date", DATE),
        ("guardian_email", MAIL),
        ("major", WORD),
        ("transcript", UPLOAD),
    ],
    &[
        ("property_address", LINE),
        ("move_in_date", DATE),
        ("monthly_income", AMOUNT),
        ("number_of_occupants", COUNT),
        ("pets", CHOICE),
        ("landlord_phone", PHONE),
        ("employment_status", CHOICE),
        ("credit_score", COUNT),
    ],
    &[
        ("donation_amount", AMOUNT),
        ("donor_name", NAME),
        ("donor_email", MAIL),
        ("dedication", LINE),
        ("card_number", CARD),
        ("card_cvc", DIGITS),
        ("card_expiry", EXPIRY),
    ],
    &[
        ("event_name", LINE),
        ("attendee_name", NAME),
        ("attendee_email", MAIL),
        ("ticket_quantity", COUNT),
        ("t_shirt_size", CHOICE),
        ("organization", NAME),
        ("discount_code", CODE),
    ],
    &[
        ("taxpayer_id", NUMBER),
        ("filing_status", CHOICE),
        ("gross_income", AMOUNT),
        ("deductions", AMOUNT),
        ("dependents", COUNT),
        ("account_number", NUMBER),
        ("signature", NAME),
        ("signature_date", DATE),
    ],
];

/// What a visitor who compares looks at, by what is on offer.
const OFFERS: &[&[&str]] = &[
    &[
        "price",
        "pricing_table",
        "plan_basic",
        "plan_pro",
        "plan_enterprise",
        "plan_comparison",
        "feature_list",
        "monthly_price",
        "annual_price",
        "free_trial",
        "add_ons",
        "seat_pricing",
    ],
    &[
        "plan_starter",
        "plan_team",
        "plan_business",
        "features",
        "feature_matrix",
        "feature_comparison",
        "tier_silver",
        "tier_gold",
        "usage_limits",
        "storage_options",
        "support_level",
        "integrations",
        "pricing_faq",
    ],
    &[
        "shipping_cost",
        "shipping_options",
        "delivery_time",
        "return_policy",
        "refund_policy",
        "warranty_info",
        "product_price",
        "price_match",
        "shipping_policy",
        "in_store_pickup",
        "bulk_discount",
        "shipping_calculator",
    ],
    &[
        "specifications",
        "specs",
        "customer_reviews",
        "competitor_comparison",
        "size_guide",
        "color_options",
        "similar_products",
        "bundle_options",
        "product_details",
        "battery_life",
        "price_history",
        "compare_models",
    ],
    &[
        "coverage_options",
        "coverage_basic",
        "coverage_premium",
        "deductible",
        "deductible_options",
        "premium_estimate",
        "quote_summary",
        "exclusions",
        "liability_limits",
        "policy_details",
        "compare_quotes",
        "discounts",
    ],
    &[
        "interest_rate",
        "apr",
        "loan_terms",
        "repayment_schedule",
        "fees",
        "rate_comparison",
        "monthly_payment",
        "loan_calculator",
        "fixed_rate",
        "variable_rate",
        "closing_costs",
        "prepayment_policy",
    ],
    &[
        "room_rates",
        "room_standard",
        "room_deluxe",
        "room_suite",
        "amenities",
        "cancellation_policy",
        "resort_fee",
        "guest_reviews",
        "breakfast_option",
        "total_price",
        "nightly_rate",
        "member_rate",
    ],
    &[
        "fare_economy",
        "fare_business",
        "fare_rules",
        "baggage_fees",
        "baggage_policy",
        "seat_map_price",
        "flight_times",
        "change_fee",
        "layover_options",
        "price_calendar",
        "travel_insurance_price",
    ],
    &[
        "subscription_tier",
        "subscription_price",
        "discount",
        "total_cost",
        "terms",
        "setup_fee",
        "contract_length",
        "money_back_guarantee",
        "exchange_policy",
        "privacy_policy",
        "package_family",
        "package_single",
        "savings_calculator",
    ],
];

/// One of the forms.
pub fn any_form(random: &mut impl Rng) -> Vec<Field> {
    let form = FORMS.choose(random).copied().unwrap_or(FORMS[0]);
    form.iter().map(|(name, kind)| Field { name: (*name).to_owned(), kind: *kind }).collect()
}

/// What one site offers.
pub fn any_offers(random: &mut impl Rng) -> Vec<&'static str> {
    OFFERS.choose(random).copied().unwrap_or(OFFERS[0]).to_vec()
}

/// What all sites offer.
pub fn all_offers() -> Vec<&'static str> {
    OFFERS.concat()
}
