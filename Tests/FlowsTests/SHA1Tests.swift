import Testing

@testable import Flows

/// The examples of FIPS 180 (NIST, "Examples with Intermediate Values", SHA-1) and one million letters.
@Suite struct SHA1Tests {
    private func digest(_ message: [UInt8]) -> String {
        let padding = (119 - message.count % 64) % 64
        let length = UInt64(8 * message.count)
        let padded =
            message + [0x80] + [UInt8](repeating: 0, count: padding)
            + (0..<8).map { UInt8(truncatingIfNeeded: length >> UInt64(56 - 8 * $0)) }
        var hash = SHA1()
        for start in stride(from: 0, to: padded.count, by: 64) {
            hash.compress(
                [16 of UInt32] { index in
                    padded[(start + 4 * index)...].prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
                }
            )
        }
        return (0..<5).map { index in
            let text = String(hash.state[index], radix: 16)
            return String(repeating: "0", count: 8 - text.count) + text
        }.joined()
    }

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
    ])
    func agreesWithTheStandard(message: String, expected: String) {
        #expect(digest(Array(message.utf8)) == expected)
    }
}
