#include "lamina/image/thin_xml.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <pugixml.hpp>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "lamina/block/thin_canonical.h"
#include "lamina/block/thin_check.h"
#include "vfs/image/xml_entities.h"
#include "vfs/image/xml_fields.h"

namespace lamina {
namespace {

constexpr XmlField::Need kOptional = XmlField::Need::kOptional;
constexpr std::uint64_t kMaxMappingTime = (std::uint64_t{1} << 24U) - 1;

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Does `next` go on where `last` ends?
bool Continues(const ThinRun& last, const ThinRun& next) {
  return last.origin_begin + last.length == next.origin_begin &&
         last.data_begin + last.length == next.data_begin && last.time == next.time;
}

// Lines and columns of offsets that mostly grow.
class LineCounter {
 public:
  explicit LineCounter(std::string_view text) : text_(text) {}

  std::uint64_t LineOf(std::size_t offset) {
    offset = std::min(offset, text_.size());
    if (offset < counted_) *this = LineCounter(text_);
    line_ += static_cast<std::uint64_t>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_),
                   text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
    counted_ = offset;
    return line_;
  }

  std::uint64_t ColumnOf(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    const std::size_t newline = text_.substr(0, offset).rfind('\n');
    return newline == std::string_view::npos ? offset + 1 : offset - newline;
  }

 private:
  std::string_view text_;
  std::size_t counted_ = 0;
  std::uint64_t line_ = 1;
};

class ThinXmlReader {
 public:
  ThinXmlReader(std::string_view text, const ThinXmlOptions& options)
      : text_(text), options_(options), lines_(text) {}

  absl::StatusOr<ThinXmlDocument> Read() {
    pugi::xml_document document;
    if (absl::Status parsed = Parse(document); !parsed.ok()) return parsed;
    const absl::StatusOr<pugi::xml_node> superblock = FindSuperblock(document);
    if (!superblock.ok()) return superblock.status();
    if (absl::Status read = ReadSuperblock(*superblock); !read.ok()) return read;
    if (options_.rules == ThinXmlRules::kAsRestored) result_.dump = CanonicalThinDump(result_.dump);
    return std::move(result_);
  }

 private:
  // ── places ─────────────────────────────────────────────────────────────────
  static std::size_t OffsetOf(pugi::xml_node node) {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(node.offset_debug(), 0));
  }
  // Of a text: its first byte that is not blank.
  std::size_t OffsetOfText(pugi::xml_node node) {
    return std::min(text_.find_first_not_of(" \t\r\n", OffsetOf(node)), text_.size());
  }
  std::string At(std::size_t offset, std::string_view what) {
    return absl::StrFormat("%s:%d:%d: %s", options_.file, lines_.LineOf(offset),
                           lines_.ColumnOf(offset), what);
  }
  absl::Status Error(pugi::xml_node node, std::string_view what) {
    return absl::InvalidArgumentError(At(OffsetOf(node), what));
  }
  absl::Status TooMuch(std::size_t offset, std::string_view what) {
    return absl::ResourceExhaustedError(At(offset, what));
  }
  void Note(std::size_t offset, std::string_view what) {
    if (result_.notes.size() == kMaxThinFindings) return;
    result_.notes.push_back({lines_.LineOf(offset), std::string(what)});
  }

  // ── the text as a tree ─────────────────────────────────────────────────────
  // The tree of pugixml costs some 60 bytes an element and 40 an attribute: both are counted first.
  absl::Status Parse(pugi::xml_document& document) {
    if (text_.size() > options_.max_bytes) {
      return TooMuch(0, absl::StrFormat("more than %d bytes", options_.max_bytes));
    }
    const auto count = [&](char mark) {
      return static_cast<std::uint64_t>(std::count(text_.begin(), text_.end(), mark));
    };
    if (count('<') > 2 * options_.max_elements || count('=') > 4 * options_.max_elements) {
      return TooMuch(0, absl::StrFormat("more than %d elements", options_.max_elements));
    }
    if (const std::size_t nul = text_.find('\0'); nul != std::string_view::npos) {
      return absl::InvalidArgumentError(At(nul, "not well-formed: a NUL byte"));
    }
    const pugi::xml_parse_result parsed =
        document.load_buffer(text_.data(), text_.size(), pugi::parse_default | pugi::parse_fragment,
                             pugi::encoding_utf8);
    if (parsed.status == pugi::status_out_of_memory) return TooMuch(0, "out of memory");
    if (!parsed) {
      const auto offset = static_cast<std::size_t>(std::max<std::ptrdiff_t>(parsed.offset, 0));
      return absl::InvalidArgumentError(
          At(offset, absl::StrFormat("not well-formed: %s", parsed.description())));
    }
    const std::size_t entity = FindUnknownEntity(text_);
    if (entity == std::string_view::npos) return absl::OkStatus();
    return absl::InvalidArgumentError(
        At(entity, "an & that begins no entity XML knows; those of a DOCTYPE are not replaced"));
  }

  absl::StatusOr<pugi::xml_node> FindSuperblock(const pugi::xml_document& document) {
    pugi::xml_node superblock;
    for (const pugi::xml_node node : document.children()) {
      if (node.type() == pugi::node_element) {
        if (superblock) return Error(node, "a second element after <superblock>");
        if (std::string_view(node.name()) != "superblock") return Unknown(node);
        superblock = node;
      } else if (!IsBlank(node.value())) {
        return absl::InvalidArgumentError(At(OffsetOfText(node), "text outside <superblock>"));
      }
    }
    if (superblock) return superblock;
    return absl::InvalidArgumentError(At(text_.size(), "no <superblock>"));
  }

  absl::Status Unknown(pugi::xml_node node) {
    return Error(node, absl::StrFormat("unknown element <%.40s>", node.name()));
  }

  absl::Status ReadFields(pugi::xml_node node, std::span<XmlField> fields) {
    const std::string wrong = ReadXmlFields(node, fields);
    return wrong.empty() ? absl::OkStatus() : Error(node, wrong);
  }

  // Calls `read` for each child element; text is skipped, as the tools do.
  template <typename ReadChild>
  absl::Status ForEachElement(pugi::xml_node parent, const ReadChild& read) {
    for (const pugi::xml_node node : parent.children()) {
      if (node.type() != pugi::node_element) {
        if (!IsBlank(node.value())) Note(OffsetOfText(node), "text, which is skipped");
        continue;
      }
      if (absl::Status done = read(node); !done.ok()) return done;
    }
    return absl::OkStatus();
  }

  // ── elements ───────────────────────────────────────────────────────────────
  absl::Status ReadSuperblock(pugi::xml_node node) {
    std::array<XmlField, 8> fields = {{{"uuid", 0},
                                       {"time", kMax32},
                                       {"transaction", kMax64},
                                       {"flags", kMax32, kOptional},
                                       {"version", kMax32, kOptional},
                                       {"data_block_size", kMax32},
                                       {"nr_data_blocks", kMax64},
                                       {"metadata_snap", kMax64, kOptional}}};
    if (absl::Status read = ReadFields(node, fields); !read.ok()) return read;
    ThinDump& dump = result_.dump;
    dump.uuid = fields[0].text;
    dump.time = static_cast<std::uint32_t>(fields[1].number);
    dump.transaction = fields[2].number;
    dump.flags = static_cast<std::uint32_t>(fields[3].number);
    dump.version = fields[4].seen ? static_cast<std::uint32_t>(fields[4].number) : 1;
    dump.data_block_size = fields[5].number;
    dump.nr_data_blocks = fields[6].number;
    if (fields[7].seen) dump.metadata_snap = fields[7].number;
    return ForEachElement(node, [&](pugi::xml_node child) {
      const std::string_view name = child.name();
      if (name == "device") return ReadDevice(child);
      if (name == "def") return ReadDef(child);
      if (name == "single_mapping" || name == "range_mapping" || name == "ref") {
        return Error(child, absl::StrFormat("<%s> outside a device", child.name()));
      }
      return Unknown(child);
    });
  }

  absl::Status ReadDevice(pugi::xml_node node) {
    std::array<XmlField, 5> fields = {{{"dev_id", kMax32},
                                       {"mapped_blocks", kMax64},
                                       {"transaction", kMax64},
                                       {"creation_time", kMax32},
                                       {"snap_time", kMax32}}};
    if (absl::Status read = ReadFields(node, fields); !read.ok()) return read;
    if (options_.rules == ThinXmlRules::kAsRestored && !ids_.insert(fields[0].number).second) {
      return Error(node, absl::StrFormat("a second device %d", fields[0].number));
    }
    ThinDumpDevice device{fields[0].number,
                          fields[1].number,
                          fields[2].number,
                          static_cast<std::uint32_t>(fields[3].number),
                          static_cast<std::uint32_t>(fields[4].number),
                          {}};
    if (absl::Status read = ReadMappings(node, device.runs); !read.ok()) return read;
    result_.dump.devices.push_back(std::move(device));
    return absl::OkStatus();
  }

  // Mappings that devices share: 1.x writes them once.
  absl::Status ReadDef(pugi::xml_node node) {
    std::array<XmlField, 1> fields = {{{"name", 0}}};
    if (absl::Status read = ReadFields(node, fields); !read.ok()) return read;
    std::vector<ThinRun> runs;
    if (absl::Status read = ReadMappings(node, runs); !read.ok()) return read;
    if (!defs_.emplace(fields[0].text, std::move(runs)).second) {
      return Error(node, absl::StrFormat("a second def \"%.40s\"", fields[0].text));
    }
    return absl::OkStatus();
  }

  absl::Status ReadMappings(pugi::xml_node parent, std::vector<ThinRun>& runs) {
    after_ref_ = false;
    return ForEachElement(parent, [&](pugi::xml_node node) {
      const std::string_view name = node.name();
      if (name == "single_mapping") return ReadSingle(node, runs);
      if (name == "range_mapping") return ReadRange(node, runs);
      if (name == "ref") return ReadRef(node, runs);
      if (name == "device" || name == "def") {
        return Error(node, absl::StrFormat("<%s> inside <%s>", node.name(), parent.name()));
      }
      return Unknown(node);
    });
  }

  absl::Status ReadSingle(pugi::xml_node node, std::vector<ThinRun>& runs) {
    std::array<XmlField, 3> fields = {
        {{"origin_block", kMax64}, {"data_block", kMax64}, {"time", kMax32}}};
    if (absl::Status read = ReadFields(node, fields); !read.ok()) return read;
    const ThinRun run{fields[0].number, fields[1].number, 1,
                      static_cast<std::uint32_t>(fields[2].number)};
    return AddRun(node, run, runs);
  }

  absl::Status ReadRange(pugi::xml_node node, std::vector<ThinRun>& runs) {
    std::array<XmlField, 4> fields = {
        {{"origin_begin", kMax64}, {"data_begin", kMax64}, {"length", kMax64}, {"time", kMax32}}};
    if (absl::Status read = ReadFields(node, fields); !read.ok()) return read;
    const ThinRun run{fields[0].number, fields[1].number, fields[2].number,
                      static_cast<std::uint32_t>(fields[3].number)};
    if (run.length == 1) Note(OffsetOf(node), "a range_mapping of length 1: a single_mapping");
    return AddRun(node, run, runs);
  }

  absl::Status ReadRef(pugi::xml_node node, std::vector<ThinRun>& runs) {
    std::array<XmlField, 1> fields = {{{"name", 0}}};
    if (absl::Status read = ReadFields(node, fields); !read.ok()) return read;
    if (absl::Status empty = ExpectNoElements(node); !empty.ok()) return empty;
    const auto def = defs_.find(fields[0].text);
    if (def == defs_.end()) {
      return Error(node, absl::StrFormat("no def \"%.40s\" stands before", fields[0].text));
    }
    if (absl::Status fits = CountRuns(node, def->second.size()); !fits.ok()) return fits;
    after_ref_ = true;
    for (const ThinRun& run : def->second) Append(run, runs);
    after_ref_ = true;
    return absl::OkStatus();
  }

  absl::Status AddRun(pugi::xml_node node, const ThinRun& run, std::vector<ThinRun>& runs) {
    if (absl::Status empty = ExpectNoElements(node); !empty.ok()) return empty;
    if (run.length > kMax64 - std::max(run.origin_begin, run.data_begin)) {
      return Error(node, "the mapping passes block 2^64 - 1");
    }
    if (options_.rules == ThinXmlRules::kAsRestored && run.length > 0) {
      const std::uint64_t blocks = result_.dump.nr_data_blocks;
      if (run.data_begin + run.length > blocks) {
        return Error(node, absl::StrFormat("data block %d is past the pool's %d",
                                           run.data_begin + run.length - 1, blocks));
      }
      if (run.time > kMaxMappingTime) {
        return Error(node, absl::StrFormat("time %d needs more than 24 bits", run.time));
      }
    }
    if (absl::Status fits = CountRuns(node, 1); !fits.ok()) return fits;
    Append(run, runs);
    return absl::OkStatus();
  }

  // What stands on both sides of the edge of a def may be one run, which 1.x cannot write as one.
  void Append(const ThinRun& run, std::vector<ThinRun>& runs) {
    const bool joins = after_ref_ && !runs.empty() && Continues(runs.back(), run);
    after_ref_ = false;
    if (joins) {
      runs.back().length += run.length;
    } else {
      runs.push_back(run);
    }
  }

  absl::Status ExpectNoElements(pugi::xml_node parent) {
    return ForEachElement(parent, [&](pugi::xml_node node) {
      return Error(node, absl::StrFormat("<%.40s> inside <%s>", node.name(), parent.name()));
    });
  }

  absl::Status CountRuns(pugi::xml_node node, std::uint64_t more) {
    if (more > options_.max_runs - runs_) {
      return TooMuch(OffsetOf(node), absl::StrFormat("more than %d mappings", options_.max_runs));
    }
    runs_ += more;
    return absl::OkStatus();
  }

  const std::string_view text_;
  const ThinXmlOptions& options_;
  LineCounter lines_;
  ThinXmlDocument result_;
  absl::flat_hash_set<std::uint64_t> ids_;
  absl::flat_hash_map<std::string, std::vector<ThinRun>> defs_;
  std::uint64_t runs_ = 0;  // those of defs too
  bool after_ref_ = false;  // the last mapping came from a ref
};

}  // namespace

absl::StatusOr<ThinXmlDocument> ReadThinXml(std::string_view text, const ThinXmlOptions& options) {
  return ThinXmlReader(text, options).Read();
}

}  // namespace lamina
