// Thin pools as thin_dump XML, in and out.
//
//   absl::StatusOr<ThinXmlDocument> xml = ReadThinXml(text);
//   RestoreThinMetadata(op, xml->dump, metadata_disk);
//   ThinXmlText(dump)                                       what thin_dump would print
//
// Source: devicemapper.md §16.1, §16.3; thin-provisioning-tools 0.9.0 and the elements of 1.x.
// Threads: pure.
#ifndef LAMINA_IMAGE_THIN_XML_H_
#define LAMINA_IMAGE_THIN_XML_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/block/thin_dump.h"

namespace lamina {

enum class ThinXmlRules : std::uint8_t {
  kAsRestored,  // what thin_restore makes of it: canonical, and refused where the tool refuses
  kAsWritten,   // as it stands in the text, for LintThinDump
};

struct ThinXmlOptions {
  std::string file = "XML";  // names the text in messages
  ThinXmlRules rules = ThinXmlRules::kAsRestored;
  std::uint64_t max_runs = kMaxThinDumpRuns;                  // after every `ref` is replaced
  std::uint64_t max_elements = kMaxThinDumpRuns + (1 << 20);  // in the text
  std::uint64_t max_bytes = std::uint64_t{1} << 30U;
};

// What is not wrong, but not the canonical form either.
struct ThinXmlNote {
  std::uint64_t line = 0;
  std::string what;
};

struct ThinXmlDocument {
  ThinDump dump;
  std::vector<ThinXmlNote> notes;  // by line, at most kMaxThinFindings
};

// Reads the elements of 0.9 and 1.x: superblock, device, single_mapping, range_mapping, and def and
// ref, which are replaced by what they name. `flags` and `metadata_snap` may be left out, and
// `version`, which is 1 then, as for the tool. Attributes that are not known, and text, are skipped
// as the tool does; text is noted, and so is a range_mapping of length 1 or 0.
//
// Memory is proportional to the text and max_runs, never to the lengths of runs.
//
// Errors, each with FILE:LINE:COLUMN in front:
//   InvalidArgument    not well-formed XML; an element in the wrong place or unknown; an attribute
//                      that is missing, twice there, no decimal number, or too large (32 bits:
//                      times, flags, version, data_block_size, dev_id; 64 bits: the rest); a run
//                      past block 2^64 - 1; a ref to a def that does not stand before it. With
//                      kAsRestored also: data blocks past nr_data_blocks, two devices of one id, a
//                      run's time of more than 24 bits (the tool garbles it).
//   ResourceExhausted  more than max_runs, max_elements or max_bytes
absl::StatusOr<ThinXmlDocument> ReadThinXml(std::string_view text,
                                            const ThinXmlOptions& options = {});

// Calls `sink` with consecutive pieces of what thin_dump 0.9.0 prints for the canonical `dump`. The
// tool prints an empty uuid and no metadata_snap, whatever the metadata has.
void WriteThinXml(const ThinDump& dump, const std::function<void(std::string_view)>& sink);
std::string ThinXmlText(const ThinDump& dump);

}  // namespace lamina
#endif  // LAMINA_IMAGE_THIN_XML_H_
