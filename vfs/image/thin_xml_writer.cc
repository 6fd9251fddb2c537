#include "absl/strings/str_format.h"
#include "lamina/image/thin_xml.h"

namespace lamina {
namespace {

constexpr std::size_t kPieceBytes = 1U << 16U;

void AppendRun(const ThinRun& run, std::string& text) {
  if (run.length == 1) {
    absl::StrAppendFormat(
        &text, "    <single_mapping origin_block=\"%d\" data_block=\"%d\" time=\"%d\"/>\n",
        run.origin_begin, run.data_begin, run.time);
  } else {
    absl::StrAppendFormat(
        &text,
        "    <range_mapping origin_begin=\"%d\" data_begin=\"%d\" length=\"%d\" time=\"%d\"/>\n",
        run.origin_begin, run.data_begin, run.length, run.time);
  }
}

}  // namespace

void WriteThinXml(const ThinDump& dump, const std::function<void(std::string_view)>& sink) {
  std::string text = absl::StrFormat(
      "<superblock uuid=\"\" time=\"%d\" transaction=\"%d\" flags=\"%d\" version=\"%d\" "
      "data_block_size=\"%d\" nr_data_blocks=\"%d\">\n",
      dump.time, dump.transaction, dump.flags, dump.version, dump.data_block_size,
      dump.nr_data_blocks);
  const auto pass_on = [&](std::size_t above) {
    if (text.size() <= above) return;
    sink(text);
    text.clear();
  };
  for (const ThinDumpDevice& device : dump.devices) {
    absl::StrAppendFormat(&text,
                          "  <device dev_id=\"%d\" mapped_blocks=\"%d\" transaction=\"%d\" "
                          "creation_time=\"%d\" snap_time=\"%d\">\n",
                          device.dev_id, device.mapped_blocks, device.transaction,
                          device.creation_time, device.snap_time);
    for (const ThinRun& run : device.runs) {
      AppendRun(run, text);
      pass_on(kPieceBytes);
    }
    text += "  </device>\n";
    pass_on(kPieceBytes);
  }
  text += "</superblock>\n";
  pass_on(0);
}

std::string ThinXmlText(const ThinDump& dump) {
  std::string whole;
  WriteThinXml(dump, [&](std::string_view piece) { whole.append(piece); });
  return whole;
}

}  // namespace lamina
