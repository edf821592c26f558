//! The configuration file: any text makes a configuration, or faults of which each has a sentence; `${…}` in it cannot make
//! it read for ever.

#![no_main]

use std::collections::BTreeMap;

use doorward::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let environment = BTreeMap::from([("A".to_owned(), "${env.A}".to_owned())]);
    if let Err(faults) = Config::from_json(text, &environment) {
        assert!(!faults.to_string().trim().is_empty());
    }
});
