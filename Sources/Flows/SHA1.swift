/// SHA-1 (FIPS 180-4 section 6.1) of messages that fit into one block, which is what a Community ID hashes: no use in
/// security, and no dependency for forty lines.
struct SHA1 {
    /// The digest, its first word most significant.
    private(set) var state: [5 of UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]

    /// Takes in one block of 64 bytes, as words whose first byte is most significant; the message's padding is the caller's.
    mutating func compress(_ block: [16 of UInt32]) {
        var words = [80 of UInt32](repeating: 0)
        for index in 0..<16 { words[index] = block[index] }
        for index in 16..<80 {
            words[index] =
                (words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]).rotatedLeft(by: 1)
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        func turn(_ mixed: UInt32, _ constant: UInt32, _ word: UInt32) {
            let next = a.rotatedLeft(by: 5) &+ mixed &+ e &+ constant &+ word
            (a, b, c, d, e) = (next, a, b.rotatedLeft(by: 30), c, d)
        }
        for index in 0..<20 { turn(d ^ b & (c ^ d), 0x5A82_7999, words[index]) }
        for index in 20..<40 { turn(b ^ c ^ d, 0x6ED9_EBA1, words[index]) }
        for index in 40..<60 { turn(b & c | d & (b | c), 0x8F1B_BCDC, words[index]) }
        for index in 60..<80 { turn(b ^ c ^ d, 0xCA62_C1D6, words[index]) }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
    }
}

extension UInt32 {
    fileprivate func rotatedLeft(by bits: UInt32) -> UInt32 { self &<< bits | self &>> (32 &- bits) }
}
