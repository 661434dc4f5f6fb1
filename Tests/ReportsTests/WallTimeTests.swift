import Reports
import Support
import Testing

struct WallTimeTests {
    @Test(
        "RFC 3339",
        arguments: [
            (0, WallTime.Digits.none, "1970-01-01T00:00:00Z"),
            (951_782_399_999_999_999, .milliseconds, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000_000_000, .none, "2000-02-29T00:00:00Z"),
            (1_765_189_800_123_456_789, .microseconds, "2025-12-08T10:30:00.123456Z"),
            (1_765_189_800_000_001_000, .microseconds, "2025-12-08T10:30:00.000001Z"),
            (4_107_542_399_000_000_000, .none, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000_000_000, .none, "2100-03-01T00:00:00Z"), (-1, .none, "1970-01-01T00:00:00Z"),
        ]
    )
    func formatted(nanoseconds: Int64, digits: WallTime.Digits, expected: String) {
        #expect(WallTime(nanoseconds: nanoseconds).formatted(digits) == expected)
    }

    @Test(
        "Times as people and programs write them",
        arguments: [
            ("2025-12-08T10:30:00Z", 1_765_189_800_000_000_000), ("2025-12-08 10:30:00", 1_765_189_800_000_000_000),
            ("2025-12-08T10:30:00.123456789012Z", 1_765_189_800_123_456_789),
            ("2025-12-08T12:30:00,5+02:00", 1_765_189_800_500_000_000),
            ("2262-04-11T23:47:16.854775807Z", Int64.max), ("2262-04-11T23:47:16.9Z", nil),
            ("9999-12-31T23:59:59Z", nil), ("2025-12-08", nil), ("2025-13-08T10:30:00Z", nil),
            ("2025-12-08T10:30:00.Z", nil), ("2025-12-08T10:30:00Zx", nil), ("", nil), ("+025-12-08T10:30:00Z", nil),
        ] as [(String, Int64?)]
    )
    func read(text: String, expected: Int64?) {
        #expect(WallTime(text)?.nanoseconds == expected)
    }

    @Test("Every day to 2261 as Python has it", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func everyDay() {
        let lines = (0..<106_000).map { WallTime(nanoseconds: $0 * 86_400_000_000_000).formatted(.none) }
        let program = """
            import sys, datetime
            lines = sys.stdin.read().split()
            start = datetime.datetime(1970, 1, 1)
            wanted = [(start + datetime.timedelta(days=n)).isoformat() + "Z" for n in range(106000)]
            assert lines == wanted
            """
        let input = Array(lines.joined(separator: "\n").utf8)
        #expect(ChildProcess.run([ClientRules.python, "-c", program], input: input).status == 0)
    }
}
