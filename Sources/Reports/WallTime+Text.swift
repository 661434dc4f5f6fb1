extension WallTime {
    /// Of ISO 8601, `2025-12-08T10:30:00[.fraction][Z or +hh:mm]`; without a zone it is UTC.
    public init?(_ text: some StringProtocol) {
        var rest = Substring(text)
        func number(_ digits: Int) -> Int64? {
            let part = rest.prefix(digits)
            guard part.utf8.count == digits, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(digits)
            return Int64(part)
        }
        func skip(_ characters: String) -> Bool {
            guard let next = rest.first, characters.contains(next) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2), skip("-"), let day = number(2), skip("T "),
            let hour = number(2), skip(":"), let minute = number(2), skip(":"), let second = number(2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var fraction: Int64 = 0
        if skip(".,") {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
            fraction = Int64(String(digits.prefix(9)).padding(to: 9)) ?? 0
        }
        var offset: Int64 = 0
        if !rest.isEmpty, !skip("Zz") {
            let sign: Int64 = rest.first == "-" ? -1 : 1
            guard skip("+-"), let hours = number(2) else { return nil }
            _ = skip(":")
            guard let minutes = rest.isEmpty ? 0 : number(2) else { return nil }
            offset = sign * (hours * 60 + minutes)
        }
        guard rest.isEmpty else { return nil }
        // Days since 1970 by years that begin in March (Hinnant, days_from_civil).
        let (y, m) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
        let seconds = days * 86_400 + hour * 3_600 + (minute - offset) * 60 + second
        let (whole, isTooFar) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isBeyond) = whole.addingReportingOverflow(fraction)
        if isTooFar || isBeyond { return nil }
        self.init(nanoseconds: sum)
    }
}

extension String {
    fileprivate func padding(to digits: Int) -> String { self + String(repeating: "0", count: digits - count) }
}
