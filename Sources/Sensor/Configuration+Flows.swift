public import Flows

extension Configuration.Flows {
    /// What the flow tables are given: the profile's own limits, save those that were set.
    public var settings: FlowSettings {
        var settings = profile == .cic ? FlowSettings.cic : FlowSettings()
        idle.apply(to: &settings.idle)
        active.apply(to: &settings.active)
        close.apply(to: &settings.close)
        interim.apply(to: &settings.interim)
        settings.memory = memory
        settings.entropy = entropy
        return settings
    }
}

extension Configuration.Flows.Limit {
    /// - Parameter nanoseconds: the profile's own.
    fileprivate func apply(to nanoseconds: inout Int64?) {
        switch self {
        case .auto: break
        case .never: nanoseconds = nil
        case .seconds(let seconds): nanoseconds = Int64((seconds * 1e9).rounded())
        }
    }
}

extension Configuration {
    /// Absolute path of the file that flows are written to; nil: none.
    public var flowFile: String? {
        path(of: publish.flows.file)
    }

    /// - Returns: nil for an empty name.
    func path(of file: String) -> String? {
        file.isEmpty ? nil : file.hasPrefix("/") ? file : "\(dataDirectory)/\(file)"
    }
}
