extension Configuration {
    /// The default file: every key as a comment, with its explanation, range, variable and default.
    public static var documentedFile: String {
        var text = """
            ## Configuration of weir. Every key stands here with its default: to change one, take away its "#".
            ## A flag of `weir run` beats an environment variable, which beats this file.
            ## Check it with: weir check --config FILE

            """
        var section = ""
        for setting in settings {
            let parts = setting.key.split(separator: ".").map(String.init)
            let isNested = parts.count > 1
            let indent = isNested ? "  " : ""
            if isNested, parts[0] != section {
                section = parts[0]
                text += "\n\(section):\n"
            } else if !isNested {
                text += "\n"
            }
            text += "\(indent)## \(setting.help)\n"
            text += "\(indent)## Allowed: \(setting.allowed). Environment: \(setting.variable)\n"
            text += "\(indent)#\(parts[parts.count - 1]): \(setting.standard)\n"
        }
        return text
    }

    /// The table of keys in Markdown, for the documentation.
    public static var documentedTable: String {
        let rows = settings.map { setting in
            "| `\(setting.key)` | `\(setting.standard)` | \(setting.allowed) | \(setting.help) |"
        }
        return (["| Key | Default | Allowed | Meaning |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
            + "\n"
    }
}
