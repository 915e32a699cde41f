#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kithara_fuzz::fmp4::check(bytes));
