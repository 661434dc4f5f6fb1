extension Configuration {
    /// The default file: every key as a comment, with its explanation, range, variable and default.
    public static var documentedFile: String {
        var text = """
            ## Configuration of weir. Every key stands here with its default: to change one, take away its "#".
            ## A flag of `weir run` beats an environment variable, which beats this file.
            ## Check it with: weir check --config FILE

            """
        var sections: [String] = []
        for setting in settings {
            var parts = setting.key.split(separator: ".").map(String.init)
            let name = parts.removeLast()
            if parts.first != sections.first || parts.isEmpty { text += "\n" }
            for (depth, part) in parts.enumerated() where sections.prefix(depth + 1) != parts.prefix(depth + 1) {
                text += "\(indent(depth))\(part):\n"
            }
            sections = parts
            let indent = indent(parts.count)
            text += "\(indent)## \(setting.help)\n"
            text += "\(indent)## Allowed: \(setting.allowed). Environment: \(setting.variable)\n"
            text += "\(indent)#\(name): \(setting.standard)\n"
        }
        return text
    }

    private static func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }

    /// The table of keys in Markdown, for the documentation.
    public static var documentedTable: String {
        let rows = settings.map { setting in
            "| `\(setting.key)` | `\(setting.standard)` | \(setting.allowed) | \(setting.help) |"
        }
        return (["| Key | Default | Allowed | Meaning |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
            + "\n"
    }
}
