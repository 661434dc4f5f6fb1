import Reports
import Support
import Testing

struct JSONWriterTests {
    @Test(
        "Shortest decimals",
        arguments: [
            (15.6, 1, "15.6"), (15.600000000000000355, 1, "15.6"), (16, 1, "16"), (0.05, 2, "0.05"), (0.004, 2, "0"),
            (-0.004, 2, "0"), (99.999, 2, "100"), (1.5, 2, "1.5"), (-2.25, 2, "-2.25"), (.nan, 2, "0"),
            (.infinity, 1, "0"), (1e300, 2, "1000000000000"), (0.1 + 0.2, 2, "0.3"), (123456.789, 0, "123457"),
        ]
    )
    func decimals(value: Double, places: Int, expected: String) {
        var json = JSONWriter()
        json.decimal(value, places: places)
        #expect(text(json.bytes) == expected)
    }

    @Test("Every scalar below U+3000 parses back to itself", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func scalars() {
        var json = JSONWriter()
        json.array { json in
            for value in UInt32(0)..<0x3000 {
                if let scalar = Unicode.Scalar(value) { json.string(String(scalar)) }
            }
        }
        let program = """
            import json, sys
            values = json.loads(sys.stdin.buffer.read().decode("utf-8", "strict"))
            assert values == [chr(n) for n in range(0x3000)]
            """
        let outcome = ChildProcess.run([ClientRules.python, "-c", program], input: json.bytes)
        #expect(outcome.status == 0, "\(outcome.text.prefix(300))")
    }

    @Test("A limit cuts whole characters and shows it")
    func limit() {
        var json = JSONWriter()
        json.array { json in
            json.string("日本語", limit: 2)
            json.string("日本語", limit: 3)
        }
        #expect(text(json.bytes) == #"["日本…","日本語"]"#)
    }

    @Test("Commas stand where they must")
    func nesting() {
        var json = JSONWriter()
        json.object { json in
            json.array("a") { json in
                json.object { _ in }
                json.array { json in json.null() }
                json.integer(-1)
            }
            json.object("b") { json in json.field("c", true) }
            json.fieldNull("d")
        }
        #expect(text(json.bytes) == #"{"a":[{},[null],-1],"b":{"c":true},"d":null}"#)
    }
}
