#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kithara_fuzz::decrypt::check(bytes));
