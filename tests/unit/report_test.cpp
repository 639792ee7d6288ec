// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_host.hpp"
#include "report/json_event.hpp"
#include "report/report.hpp"
#include <boost/json.hpp>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::report;

namespace
{

class Reports : public testing::Test
{
      protected:
	void SetUp() override
	{
		host.add_copy(table::Phase::synced);
		host.mapper.add("big", "LVM-x", {253, 1},
				{{0, uint64_t(1) << 31, "blkcopy", "track 8:32 0 - 0 - 2048"}});
		const auto listed = volume::list(host.context);
		for (const auto &volume : listed->volumes)
			rows.push_back(make_row(host.context, volume));
	}

	std::string text(const Options &options)
	{
		const auto result = render(rows, options);
		return result ? *result : "error: " + result.error().message();
	}

	fake::Host host;
	std::vector<Row> rows;
};

} // namespace

TEST_F(Reports, DefaultFieldsLineUp)
{
	EXPECT_EQ(text({.output = "name,size,state,progress,source,target"}),
		  "Name Size   State Done%  Source   Target  \n"
		  "big   1.00t none         /dev/sdc         \n"
		  "v0   64.00m ready 100.00 /dev/sda /dev/sdb\n");
	EXPECT_TRUE(text({}).starts_with("Name Size   State Done%"));
}

TEST_F(Reports, SpeakLvmsGrammar)
{
	EXPECT_EQ(text({.output = "name,size", .headings = false, .units = "b", .separator = ":"}),
		  "big:1099511627776B\nv0:67108864B\n");
	EXPECT_EQ(text({.output = "name,size",
			.headings = false,
			.units = "m",
			.suffix = false,
			.separator = ":"}),
		  "big:1048576.00\nv0:64.00\n");
	EXPECT_EQ(text({.output = "name", .sort = "-name", .headings = false, .separator = ":"}),
		  "v0\nbig\n");
	EXPECT_EQ(text({.output = "name", .sort = "size", .headings = false, .separator = ":"}),
		  "v0\nbig\n");
	EXPECT_EQ(text({.output = "name",
			.select = "state=ready",
			.headings = false,
			.separator = ":"}),
		  "v0\n");
	EXPECT_EQ(
		text({.output = "name", .select = "size>1g", .headings = false, .separator = ":"}),
		"big\n");
	EXPECT_EQ(text({.output = "name",
			.select = "progress>50",
			.headings = false,
			.separator = ":"}),
		  "v0\n");
	EXPECT_EQ(text({.output = "-size"}).find("Size"), std::string::npos);
	EXPECT_NE(text({.output = "-size"}).find("Name"), std::string::npos);
	EXPECT_NE(text({.output = "+uuid"}).find("UUID"), std::string::npos);
}

TEST_F(Reports, HelpListsEveryField)
{
	const auto help = text({.output = "help"});
	for (const auto &field : fields())
		EXPECT_NE(help.find(field.name), std::string::npos) << field.name;
	EXPECT_EQ(help.find("row_index"), std::string::npos);
	// And every mode that a table may have.
	for (const auto mode : {table::Mode::track, table::Mode::mirror, table::Mode::stream,
				table::Mode::overlay, table::Mode::commit, table::Mode::backup})
		EXPECT_NE(help.find(table::word(mode)), std::string::npos) << table::word(mode);
}

TEST_F(Reports, RefuseWhatTheyDoNotKnow)
{
	for (const Options &options : {Options{.output = "nonsense"}, Options{.sort = "nonsense"},
				       Options{.select = "nonsense=1"}, Options{.units = "x"},
				       Options{.units = ""}, Options{.output = "-nonsense"}}) {
		const auto result = render(rows, options);
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, Status::usage);
	}
	for (const Options &options : {Options{.output = "nonsense"}, Options{.sort = "nonsense"},
				       Options{.select = "nonsense=1"}, Options{.units = "x"}}) {
		const auto result = render_json(rows, options);
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, Status::usage);
	}
}

TEST_F(Reports, JsonHasNumbersAndASchema)
{
	const auto object = boost::json::parse(*render_json(rows, {.sort = "-name"})).as_object();
	EXPECT_EQ(object.at("schema"), 1);
	const auto &volumes = object.at("volumes").as_array();
	ASSERT_EQ(volumes.size(), 2u);
	const auto &v0 = volumes[0].as_object();
	EXPECT_EQ(v0.at("name"), "v0");
	EXPECT_EQ(v0.at("size_bytes"), 67108864);
	EXPECT_EQ(v0.at("job").at("state"), "ready");
	EXPECT_EQ(v0.at("job").at("target").at("path"), "/dev/sdb");
	EXPECT_TRUE(v0.at("stall_ms").is_null());
	EXPECT_EQ(v0.at("loaded_table"), false);
	EXPECT_EQ(v0.at("at_boot"), false);
	EXPECT_TRUE(volumes[1].at("job").is_null());
	EXPECT_EQ(boost::json::parse(*render_json(rows, {.select = "name=big"}))
			  .at("volumes")
			  .as_array()
			  .size(),
		  1u);
	EXPECT_EQ(boost::json::parse(*render_json({}, {})).at("volumes").as_array().size(), 0u);
}

TEST_F(Reports, JsonHasTheFieldsThatWereChosen)
{
	const auto json = [&](const Options &options) {
		const auto text = render_json(rows, options);
		return text ? *text : text.error().message();
	};
	EXPECT_EQ(json({.output = "name,size,target,progress", .sort = "-size"}),
		  "{\"schema\":1,\"volumes\":["
		  "{\"name\":\"big\",\"size\":1099511627776,\"target\":null,\"progress\":null},"
		  "{\"name\":\"v0\",\"size\":67108864,\"target\":\"/dev/sdb\",\"progress\":1E2}]}");
	EXPECT_EQ(json({.output = "size", .select = "name=v0", .headings = false, .units = "k"}),
		  "{\"schema\":1,\"volumes\":[{\"size\":6.5536E4}]}");
	EXPECT_EQ(json({.output = "name", .select = "name=none"}), "{\"schema\":1,\"volumes\":[]}");
	// In none of those that are for people to read: they are no numbers.
	for (const char *units : {"h", "H", "r", "R", "1h", "2H", "1r", "1R"})
		EXPECT_EQ(json({.output = "size", .select = "name=v0", .units = units}),
			  "{\"schema\":1,\"volumes\":[{\"size\":67108864}]}")
			<< units;
}

// Of a module that is silent about them: nothing that is made up.
TEST_F(Reports, SayWhatABitStandsFor)
{
	auto &bitmaps = rows[1].volume.status.bitmaps;
	bitmaps = {{"nightly", 3, "recording", 128}, {"old", 0, "disabled"}};
	EXPECT_EQ(text({.output = "bitmaps", .select = "name=v0", .headings = false}),
		  "nightly=64k,old\n");
	const auto list = boost::json::parse(json_bitmaps(rows[1].volume));
	EXPECT_EQ(list.at("name"), "v0");
	const auto &nightly = list.at("bitmaps").as_array().at(0).as_object();
	EXPECT_EQ(nightly.at("granularity_bytes"), 65536);
	EXPECT_EQ(nightly.at("dirty_bytes"), 3 * 65536);
	EXPECT_TRUE(
		list.at("bitmaps").as_array().at(1).as_object().at("granularity_bytes").is_null());
	EXPECT_EQ(boost::json::parse(json(rows[1])).at("volume").at("bitmaps"), list.at("bitmaps"));
}

TEST_F(Reports, JsonLinesParse)
{
	namespace json = boost::json;
	const auto outcome =
		json::parse(json_outcome("copy", "v\"0", false, true, {"a", "b"}, 1.5)).as_object();
	EXPECT_EQ(outcome.at("name"), "v\"0");
	EXPECT_EQ(outcome.at("stall_ms"), 1.5);
	EXPECT_EQ(outcome.at("steps").as_array().size(), 2u);
	EXPECT_FALSE(outcome.contains("to_copy_bytes"));
	const auto some = json_outcome("copy", "v", false, false, {}, {}, {}, uint64_t{0});
	EXPECT_EQ(json::parse(some).at("to_copy_bytes"), 0);
	EXPECT_EQ(json::parse(json_error({.status = Status::busy, .why = "x"})).at("status"), 4);
	EXPECT_EQ(
		json::parse(json_event({.kind = job::Event::Kind::gone, .name = "n"})).at("event"),
		"gone");
	const auto &row = rows[1];
	const auto progress = json::parse(json_progress(row.volume, row.job, {}));
	EXPECT_EQ(progress.at("percent"), 100.0);
	EXPECT_EQ(progress.at("ready"), true);
	EXPECT_TRUE(progress.at("seconds_left").is_null());
}
