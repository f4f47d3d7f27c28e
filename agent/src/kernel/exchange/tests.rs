use super::*;
use crate::kernel::{packed, release};

/// An atomic instruction.
fn atomic(size: u8, target: u8, source: u8, offset: i16, operation: u32) -> [u8; SIZE] {
    let ([low, high], [a, b, c, d]) = (offset.to_le_bytes(), operation.to_le_bytes());
    [ATOMIC | size, source << 4 | target, low, high, a, b, c, d]
}

/// An object with one section of program bytes after its header, and the headers of a first and of this section.
fn object(code: &[u8], flags: u8) -> Vec<u8> {
    let mut object = vec![0; 64];
    object[..6].copy_from_slice(b"\x7fELF\x02\x01");
    object[40..48].copy_from_slice(&(64 + code.len() as u64).to_le_bytes());
    (object[58], object[60]) = (64, 2);
    object.extend(code);
    let mut headers = [0; 128];
    (headers[64 + 4], headers[64 + 8], headers[64 + 24]) = (1, flags, 64);
    headers[64 + 32..64 + 40].copy_from_slice(&(code.len() as u64).to_le_bytes());
    object.extend(headers);
    object
}

#[test]
fn an_exchange_becomes_a_move_of_its_own_register_whatever_its_registers_and_offset() {
    for source in 0..10 {
        for target in 0..=10 {
            for offset in [0, 8, 120, -8, i16::MIN, i16::MAX] {
                let own = source << 4 | source;
                let wide = without_exchange(atomic(DOUBLE, target, source, offset, EXCHANGE));
                assert_eq!(wide, Ok([0xbf, own, 0, 0, 0, 0, 0, 0]));
                let word = without_exchange(atomic(WORD, target, source, offset, EXCHANGE));
                assert_eq!(word, Ok([0xbc, own, 0, 0, 0, 0, 0, 0]));
            }
        }
    }
}

#[test]
fn additions_and_instructions_that_are_not_atomic_stay() {
    let stay = [
        atomic(DOUBLE, 1, 2, 16, ADD),
        atomic(WORD, 1, 2, 16, ADD),
        // *(u64 *)(r3 + 0) = r2; r2 = *(u64 *)(r3 + 0); r1 = 225; the second half of a wide load of the same number.
        [0x7b, 0x23, 0, 0, 0, 0, 0, 0],
        [0x79, 0x32, 0, 0, 0, 0, 0, 0],
        [0xb7, 0x01, 0, 0, 0xe1, 0, 0, 0],
        [0, 0, 0, 0, 0xe1, 0, 0, 0],
    ];
    for instruction in stay {
        assert_eq!(without_exchange(instruction), Ok(instruction));
    }
}

#[test]
fn other_atomic_instructions_that_old_kernels_lack_are_refused() {
    // Additions that return the old value, `and`, `or`, `xor`, compare and exchange, and a load that acquires.
    for operation in [0x01, 0x40, 0x50, 0x51, 0xa0, 0xf1, 0x100, 0xe0] {
        for size in [DOUBLE, WORD] {
            let instruction = atomic(size, 1, 2, 0, operation);
            assert_eq!(without_exchange(instruction), Err(Irreplaceable::Instruction(instruction)));
        }
    }
    // Sizes of 16 and of 8 bits.
    for size in [0x08, 0x10] {
        let instruction = atomic(size, 1, 2, 0, EXCHANGE);
        assert_eq!(without_exchange(instruction), Err(Irreplaceable::Instruction(instruction)));
    }
}

#[test]
fn only_sections_of_instructions_are_changed() {
    let swap = atomic(DOUBLE, 3, 2, 0, EXCHANGE);
    let code = [[0xb7, 0x02, 0, 0, 1, 0, 0, 0], swap, [0x95, 0, 0, 0, 0, 0, 0, 0]].concat();
    let mut changed = object(&code, 6);
    remove(&mut changed).unwrap();
    let after = [[0xb7, 0x02, 0, 0, 1, 0, 0, 0], [0xbf, 0x22, 0, 0, 0, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(changed, object(&after, 6));
    let mut data = object(&code, 2);
    remove(&mut data).unwrap();
    assert_eq!(data, object(&code, 2));
}

#[test]
fn a_broken_object_is_refused() {
    let code = atomic(DOUBLE, 3, 2, 0, EXCHANGE);
    let whole = object(&code, 6);
    let too_long = [&whole[..64 + 8 + 64 + 32], &[16, 1][..], &whole[64 + 8 + 64 + 34..]].concat();
    let half = object(&code[..4], 6);
    // Two of them end within the section's size, and within the file's header.
    let all: [&[u8]; 6] = [&[], b"\x7fELF", &whole[..whole.len() - 25], &whole[..60], &too_long, &half];
    for broken in all {
        assert_eq!(remove(&mut broken.to_vec()), Err(Irreplaceable::Object));
    }
    let mut other = whole;
    other[4] = 1;
    assert_eq!(remove(&mut other), Err(Irreplaceable::Object));
}

#[test]
fn the_agents_programs_do_without_exchanges() {
    let is_exchange = |code: &[u8; SIZE]| code[0] == ATOMIC | DOUBLE && code[4..] == EXCHANGE.to_le_bytes();
    let exchanges = |object: &[u8]| -> usize {
        let sections = programs(object).unwrap().into_iter();
        sections
            .map(|section| object[section].as_chunks::<SIZE>().0.iter().filter(|code| is_exchange(code)).count())
            .sum()
    };
    let mut object = packed::object().unwrap();
    assert!(exchanges(&object) > 0);
    remove(&mut object).unwrap();
    assert_eq!(exchanges(&object), 0);
}

#[test]
fn the_kernels_answers_decide_and_else_its_release() {
    let answer = |number: i32| Err(io::Error::from_raw_os_error(number));
    let (old, new) = (false, true);
    assert!(is_taken(&Ok(()), &Ok(()), old));
    for number in [libc::EINVAL, libc::EOPNOTSUPP, ENOTSUPP] {
        assert!(!is_taken(&answer(number), &Ok(()), new));
        // Nothing was tried when the kernel refuses what all kernels know.
        assert!(is_taken(&answer(number), &answer(number), new));
        assert!(!is_taken(&answer(number), &answer(number), old));
    }
    for number in [libc::EPERM, libc::EAGAIN, libc::ENOMEM] {
        assert!(is_taken(&answer(number), &Ok(()), new));
        assert!(!is_taken(&answer(number), &Ok(()), old));
    }
}

/// The JIT of arm64 learned it later than the verifier. Where no trial may be loaded, the release alone decides.
#[test]
fn the_release_that_decides_is_later_on_arm64() {
    assert_eq!((first_release(false), first_release(true)), ((5, 12), (5, 18)));
    let refused = || Err(io::Error::from_raw_os_error(libc::EPERM));
    let decide = |release: (u32, u32), is_arm64| is_taken(&refused(), &refused(), release >= first_release(is_arm64));
    for release in [(5, 12), (5, 15), (5, 17)] {
        assert!(decide(release, false) && !decide(release, true), "{release:?}");
    }
    assert!(!decide((5, 11), false) && decide((5, 18), true));
}

#[test]
fn this_machine_takes_the_trials() {
    if let Err(error) = trial(ADD) {
        eprintln!("SKIP this_machine_takes_the_trials: machine: {error}");
        return;
    }
    let (version, name) = release();
    let exchange = trial(EXCHANGE);
    assert_eq!(has_exchange(version), exchange.is_ok(), "{name}");
    // Every JIT that netwhy is built for has the exchange from then on.
    assert!(exchange.is_ok() || version < (5, 18), "{name}: {exchange:?}");
    assert!(trial(0xe0).is_err(), "no kernel exchanges without a result");
}
